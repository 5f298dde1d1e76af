"use strict";
const rows = [...document.querySelectorAll(".clips tbody tr")];
const [text, emotion, count] = ["text", "emotion", "count"].map((id) => document.getElementById(id));
function filter() {
  const wanted = text.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let left = 0;
  for (const row of rows) {
    const words = row.textContent.toLocaleLowerCase();
    row.hidden = !(wanted.every((word) => words.includes(word)) && (!emotion.value || row.dataset.emotion === emotion.value));
    left += !row.hidden;
  }
  count.textContent = `${left} of ${rows.length}`;
}
if (rows.length) {
  text.addEventListener("input", filter);
  emotion.addEventListener("change", filter);
  filter();
}
