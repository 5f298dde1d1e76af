// Hover, click, keys and zoom for every .er-timeline of the page, now or later. Works by delegation: nothing to initialise.
(() => {
  "use strict";
  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
  const figureOf = (node) => node.closest?.(".er-timeline");
  const duration = (figure) => Number(figure.dataset.duration);
  const percent = (figure, s) => `${(100 * s) / duration(figure)}%`;
  const points = new WeakMap();  // curve -> [[x, y], ...] per stroke, read once from the path

  const strokes = (path) => {
    if (!points.has(path)) {
      const read = (part) => {
        const n = part.split(" ").map(Number);
        return n.filter((_, i) => i % 2 === 0).map((x, i) => [x, n[2 * i + 1]]);
      };
      points.set(path, path.getAttribute("d").split("M").slice(1).map(read));
    }
    return points.get(path);
  };

  const valueAt = (path, s, total) => {
    const x = (1000 * s) / total;
    const stroke = strokes(path).find((p) => p[0][0] <= x && x <= p[p.length - 1][0]);
    if (!stroke) return null;
    const i = stroke.findIndex((p) => p[0] >= x);
    const [x0, y0] = stroke[Math.max(i - 1, 0)], [x1, y1] = stroke[i];
    const y = x1 > x0 ? y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) : y1;
    const low = Number(path.dataset.low), high = Number(path.dataset.high);
    return low + (high - low) * (1 - y / 100);
  };

  const spans = new WeakMap();  // many bars drawn as one path -> [[start, end], ...]
  const covers = (path, s, total) => {
    const read = () => [...path.getAttribute("d").matchAll(/M([\d.]+) 1h([\d.]+)/g)].map((m) => [Number(m[1]), Number(m[1]) + Number(m[2])]);
    if (!spans.has(path)) spans.set(path, read());
    const x = (1000 * s) / total;
    return spans.get(path).some(([start, end]) => start <= x && x <= end);
  };

  const readings = (figure, s) => {
    const found = [];
    const curved = (bar) => bar.matches(".er-slight, .er-marked, .er-strong") && bar.closest(".er-row").querySelector(".er-intensity");
    for (const bar of figure.querySelectorAll(".er-bar[data-label]:not(.er-seen, .er-supported, .er-contradicted, .er-unverifiable)")) {
      if (!curved(bar) && Number(bar.dataset.start) <= s && s <= Number(bar.dataset.end)) found.push(bar.dataset.label);
    }
    for (const path of figure.querySelectorAll(".er-many")) {
      if (!curved(path) && covers(path, s, duration(figure))) found.push(path.dataset.label);
    }
    for (const path of figure.querySelectorAll(".er-curve")) {
      const value = valueAt(path, s, duration(figure));
      const shown = value !== null && (path.dataset.unit || Math.abs(value) >= 0.2);
      if (shown) found.push(`${path.dataset.name} ${path.dataset.unit ? value.toFixed(0) + path.dataset.unit : value.toFixed(2)}`);
    }
    return found;
  };

  const place = (figure, s) => {
    const cursor = figure.querySelector(".er-cursor");
    cursor.setAttribute("x1", percent(figure, s));
    cursor.setAttribute("x2", percent(figure, s));
    cursor.classList.add("er-on");
    figure.dataset.seconds = s;
    figure.querySelector(".er-read").textContent = [`${s.toFixed(2)} s`, ...readings(figure, s)].join("  ·  ");
  };

  const band = (figure, start, end) => {
    const mark = figure.querySelector(".er-band");
    mark.setAttribute("x", percent(figure, start));
    mark.setAttribute("width", percent(figure, Math.max(end - start, 0.004 * duration(figure))));
    mark.classList.add("er-on");
    const view = figure.querySelector(".er-scroll");
    const wide = view.scrollWidth, middle = (wide * (start + end)) / 2 / duration(figure);
    if (wide > view.clientWidth) view.scrollLeft = middle - view.clientWidth / 2;
  };

  const seek = (figure, s) => {
    place(figure, s);
    figure.dispatchEvent(new CustomEvent("emoreason:seek", { bubbles: true, detail: { seconds: s } }));
  };

  const secondsAt = (figure, event) => {
    const box = figure.querySelector(".er-plot").getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * duration(figure);
  };

  const zoom = (figure, factor, at) => {
    const plot = figure.querySelector(".er-plot"), view = figure.querySelector(".er-scroll");
    const now = factor ? clamp(Number(figure.dataset.zoom || 1) * factor, 1, 64) : 1;
    figure.dataset.zoom = now;
    plot.setAttribute("width", `${100 * now}%`);
    view.scrollLeft = (view.scrollWidth * at) / duration(figure) - view.clientWidth / 2;
  };

  document.addEventListener("pointermove", (event) => {
    if (event.target.closest?.(".er-plot")) place(figureOf(event.target), secondsAt(figureOf(event.target), event));
  });

  document.addEventListener("click", (event) => {
    const target = event.target, figure = figureOf(target);
    if (figure && target.closest(".er-zoom")) {
      zoom(figure, Number(target.closest(".er-zoom").dataset.zoom), Number(figure.dataset.seconds || duration(figure) / 2));
    } else if (figure && target.closest(".er-plot")) {
      const bar = target.closest("[data-start]");
      if (bar) band(figure, Number(bar.dataset.start), Number(bar.dataset.end));
      seek(figure, secondsAt(figure, event));
    } else if (target.closest?.("[data-start]")) {  // a link from the text: show it in every figure
      const link = target.closest("[data-start]"), start = Number(link.dataset.start);
      const detail = { start, end: Number(link.dataset.end ?? start) };
      document.dispatchEvent(new CustomEvent("emoreason:show", { detail }));
    }
  });

  document.addEventListener("emoreason:show", ({ detail }) => {
    for (const figure of document.querySelectorAll(".er-timeline")) {
      band(figure, detail.start, detail.end);
      seek(figure, (detail.start + detail.end) / 2);
      figure.scrollIntoView({ block: "nearest" });
    }
  });

  document.addEventListener("emoreason:at", ({ target, detail }) => {  // a player tells where it is
    const figure = target.querySelector?.(".er-timeline");
    if (figure) place(figure, clamp(detail.seconds, 0, duration(figure)));
  });

  document.addEventListener("keydown", (event) => {
    if (!event.target.matches?.(".er-timeline")) return;
    const figure = event.target, step = duration(figure) / (event.shiftKey ? 20 : 200);
    const now = Number(figure.dataset.seconds || 0);
    const moves = { ArrowLeft: now - step, ArrowRight: now + step, Home: 0, End: duration(figure) };
    if (event.key in moves) place(figure, clamp(moves[event.key], 0, duration(figure)));
    else if (event.key === "Enter") seek(figure, now);
    else if (event.key === "+" || event.key === "-") zoom(figure, event.key === "+" ? 2 : 0.5, now);
    else return;
    event.preventDefault();
  });
})();
