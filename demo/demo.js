// Player, faces and people of every .er-view, now or later: by delegation, as the timeline does it.
(() => {
  "use strict";
  const viewOf = (node) => node.closest?.(".er-view");
  const playerOf = (view) => view?.querySelector("video, audio");
  const NS = "http://www.w3.org/2000/svg";
  const parsed = new WeakMap();  // overlay -> person -> rows [second, x, y, width, height]

  const rowsOf = (overlay) => {
    if (!parsed.has(overlay)) parsed.set(overlay, JSON.parse(overlay.dataset.boxes));
    return parsed.get(overlay);
  };

  // the row at or before a second, by halving; none where the face was not seen within a second
  const rowAt = (rows, second) => {
    let low = 0, high = rows.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (rows[middle][0] <= second) low = middle; else high = middle - 1;
    }
    return rows.length && Math.abs(rows[low][0] - second) < 1 ? rows[low] : null;
  };

  const draw = (view, second) => {
    const overlay = view.querySelector(".er-faces");
    if (!overlay) return;
    overlay.replaceChildren();
    const chosen = view.dataset.person;
    for (const [person, rows] of Object.entries(rowsOf(overlay))) {
      const row = (!chosen || chosen === person) && rowAt(rows, second);
      if (!row) continue;
      const [, x, y, width, height] = row;
      const box = document.createElementNS(NS, "rect"), name = document.createElementNS(NS, "text");
      for (const [key, value] of Object.entries({ x, y, width, height, rx: 4 })) box.setAttribute(key, value);
      name.setAttribute("x", x + 4);
      name.setAttribute("y", Math.max(y - 6, 14));
      name.textContent = person;
      overlay.append(box, name);
    }
  };

  const follow = (player) => {
    const view = viewOf(player);
    if (!view) return;
    view.dispatchEvent(new CustomEvent("emoreason:at", { bubbles: true, detail: { seconds: player.currentTime } }));
    draw(view, player.currentTime);
  };

  // media events do not bubble: they are caught on their way down
  for (const name of ["timeupdate", "seeked", "loadedmetadata"]) {
    document.addEventListener(name, (event) => { if (event.target.matches?.("video, audio")) follow(event.target); }, true);
  }
  document.addEventListener("play", (event) => {
    const player = event.target;
    const step = () => { follow(player); if (!player.paused && player.isConnected) requestAnimationFrame(step); };
    if (player.matches?.("video") && viewOf(player)) step();
  }, true);

  document.addEventListener("emoreason:seek", (event) => {
    const player = playerOf(viewOf(event.target));
    if (player) player.currentTime = event.detail.seconds;
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.(".er-people button");
    if (!button) return;
    const view = viewOf(button);
    view.dataset.person = button.dataset.person;
    for (const other of view.querySelectorAll(".er-people button")) other.setAttribute("aria-pressed", other === button);
    for (const section of view.querySelectorAll("section[data-person]")) {
      section.hidden = Boolean(button.dataset.person) && section.dataset.person !== button.dataset.person;
    }
    for (const row of view.querySelectorAll(".er-row[data-person]")) {
      row.classList.toggle("er-dim", Boolean(button.dataset.person) && row.dataset.person !== button.dataset.person);
    }
    const player = playerOf(view);
    if (player) draw(view, player.currentTime);
  });
})();
