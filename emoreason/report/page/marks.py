"""Small pieces of SVG, escaped, on a time axis in percent: the figure stretches without stretching its text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup, escape

MOST_POINTS = 600  # per curve: finer than the pixels of a screen
MOST_BLOCKS = 60  # per row: beyond that bars are drawn as one path per kind, a tenth of the bytes
MOST_SPANS = 200  # per row
WIDTH, HEIGHT = 1000, 100  # view box of curves


@dataclass(frozen=True)
class Mark:
    """A labelled stretch of time. `kind` becomes the CSS class; `text` is drawn inside, `label` is read out on hover.

    `brief` is what marks of one kind have in common, for rows so full that they are drawn together.
    """

    start_s: float
    end_s: float
    label: str
    kind: str = ""
    text: str = ""
    brief: str = ""


def element(name: str, *children: Markup, **attributes: object) -> Markup:
    """One element. `class_` is class, underscores become hyphens, None is left out; children are safe markup already."""
    named = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    written = Markup("").join(Markup(' {}="{}"').format(*pair) for pair in named)
    return Markup("<{}{}>{}</{}>").format(Markup(name), written, Markup("").join(children), Markup(name))


def text(content: str, **attributes: object) -> Markup:
    """SVG text; `content` may be anybody's."""
    return element("text", escape(content), **attributes)


def percent(time_s: float, duration_s: float) -> str:
    """Place on a timeline, as CSS has it."""
    return f"{100 * min(max(time_s / duration_s, 0), 1):.2f}".rstrip("0").rstrip(".") + "%"


def width(start_s: float, end_s: float, duration_s: float) -> str:
    """Never nothing: what happened is seen."""
    return percent(max(min(end_s, duration_s) - max(start_s, 0), 0.002 * duration_s), duration_s)


def block(mark: Mark, duration_s: float, y: float, height: float) -> Markup:
    """A bar; its text is cut where the bar ends (a nested svg clips)."""
    span = {"x": percent(mark.start_s, duration_s), "width": width(mark.start_s, mark.end_s, duration_s)}
    place = span | {"y": y, "height": height}
    data = {"data_start": f"{mark.start_s:.2f}", "data_end": f"{mark.end_s:.2f}", "data_label": mark.label}
    rect = element("rect", class_=f"er-bar {mark.kind}", **place, **data)
    if not mark.text:
        return rect
    return rect + element("svg", text(mark.text, x=4, y=height / 2 + 4, class_="er-in"), **place)


def strip(marks: Sequence[Mark], duration_s: float, height: float, y: float = 0) -> Markup:
    """A row of bars, whatever their number."""
    if len(marks) <= MOST_BLOCKS:
        return Markup("").join(block(mark, duration_s, y, height) for mark in marks)
    scale = WIDTH / duration_s
    together: dict[tuple[str, str], str] = {}
    for mark in thinned(marks, duration_s):
        wide = max((mark.end_s - mark.start_s) * scale, 0.8)
        key = (mark.kind, mark.brief or mark.label)
        together[key] = together.get(key, "") + f"M{mark.start_s * scale:.1f} 1h{wide:.1f}"
    paths = [element("path", class_=f"er-many {kind}", data_label=label, d=path) for (kind, label), path in together.items()]
    return element("svg", *paths, y=y, width="100%", height=height, viewBox=f"0 0 {WIDTH} 2", preserveAspectRatio="none")


def thinned(marks: Sequence[Mark], duration_s: float) -> list[Mark]:
    """At most MOST_SPANS marks: beyond that, time is cut in bins and each shows what fills most of it, neighbours joined."""
    if len(marks) <= MOST_SPANS:
        return list(marks)
    step = duration_s / MOST_SPANS
    best: list[tuple[float, Mark | None]] = [(0.0, None)] * MOST_SPANS
    for mark in marks:
        for n in range(max(int(mark.start_s / step), 0), min(int(mark.end_s / step) + 1, MOST_SPANS)):
            overlap = min(mark.end_s, (n + 1) * step) - max(mark.start_s, n * step)
            if overlap > best[n][0]:
                best[n] = (overlap, mark)
    joined: list[Mark] = []
    for n, (_, mark) in enumerate(best):
        if mark is None:
            continue
        last = joined[-1] if joined else None
        if last and (last.kind, last.brief) == (mark.kind, mark.brief) and last.end_s >= n * step - 1e-6:
            joined[-1] = replace(last, end_s=(n + 1) * step)
        else:
            joined.append(replace(mark, start_s=n * step, end_s=(n + 1) * step))
    return joined


def lanes(marks: Sequence[Mark], most: int = 4) -> list[list[Mark]]:
    """Marks that overlap go to further rows, at most `most`; what then still overlaps lies in the last."""
    rows: list[list[Mark]] = []
    for mark in sorted(marks, key=lambda mark: mark.start_s):
        row = next((row for row in rows if row[-1].end_s <= mark.start_s + 1e-6), None)
        if row is None and len(rows) < most:
            rows.append([])
        (row if row is not None else rows[-1]).append(mark)
    return rows


def curve(
    times_s: np.ndarray,
    values: np.ndarray,
    duration_s: float,
    *,
    low: float,
    high: float,
    name: str,
    kind: str = "",
    unit: str = "",
    points: int = MOST_POINTS,
    peaks: bool = False,
) -> Markup:
    """A line of `values` [T] between `low` (bottom) and `high` (top), broken where nothing was measured.

    At most `points` points: the mean of each bin of time, or its maximum with `peaks`. The hover read-out takes its
    numbers from the drawn points, so they are in the page once.
    """
    digits = 0 if len(times_s) > points else 1  # a long clip needs no more, and its page should stay small
    if len(times_s) > points:
        times_s, values = _binned(times_s, values, duration_s, points, peaks)
    x = WIDTH * times_s / duration_s
    y = HEIGHT * (1 - np.clip((values - low) / (high - low), 0, 1))
    strokes = "".join("M" + " ".join(f"{x[i]:.{digits}f} {y[i]:.0f}" for i in run) for run in _runs(times_s, values))
    data = {"data_name": name, "data_low": f"{low:g}", "data_high": f"{high:g}", "data_unit": unit}
    return element("path", class_=f"er-curve {kind}", d=strokes, **data)


def _binned(
    times_s: np.ndarray, values: np.ndarray, duration_s: float, points: int, peaks: bool
) -> tuple[np.ndarray, np.ndarray]:
    keep = np.isfinite(values)
    bins = np.minimum((times_s[keep] / duration_s * points).astype(int), points - 1)
    if peaks:
        out = np.full(points, -np.inf)
        np.maximum.at(out, bins, values[keep])
        out[np.isinf(out)] = np.nan
    else:
        total, count = np.bincount(bins, values[keep], points), np.bincount(bins, minlength=points)
        out = np.divide(total, count, out=np.full(points, np.nan), where=count > 0)
    return (np.arange(points) + 0.5) * duration_s / points, out


def _runs(times_s: np.ndarray, values: np.ndarray) -> Iterator[np.ndarray]:
    """Indices of each unbroken stretch: no missing value, no step longer than 2.5 usual ones."""
    here = np.flatnonzero(np.isfinite(values))
    if len(here):
        usual = np.median(np.diff(times_s)) if len(times_s) > 1 else 0.0
        breaks = np.flatnonzero((np.diff(times_s[here]) > 2.5 * usual + 1e-9) | (np.diff(here) > 1)) + 1
        yield from np.split(here, breaks)
