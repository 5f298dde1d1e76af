"""The page of a fine-tuning: before and after on one's own validation clips, confusion, worst samples, what was forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from emoreason.model.verdict import LANGUAGE
from emoreason.report.page.marks import element, text
from emoreason.scoring.metrics.classification import recalls
from emoreason.scoring.metrics.intervals import FEW_GROUPS
from emoreason.training.assess import STATISTICS, Answers
from emoreason.training.outcome import Compared, Outcome

PAGE = "page.html"
WORST = 8
WIDTH, ROW, CELL, LEFT = 300, 14, 34, 110  # px


@dataclass(frozen=True)
class Row:
    """A statistic of the same clips before and after. few: groups too few for the interval to be trusted."""

    name: str
    clips: int
    groups: int
    before: str
    after: str
    change: str
    bars: Markup


def write_outcome(folder: Path, title: str, told: Outcome, facts: Mapping[str, str], stages: Sequence[str]) -> Path:
    """`folder/page.html`. facts: what is stored, and on what base; stages: those that have a page of their own."""
    environment = Environment(loader=PackageLoader("emoreason.training"), autoescape=True, undefined=StrictUndefined)
    page = environment.get_template("outcome.html.j2").render(
        title=title,
        labels=told.labels,
        own=told.own and _own(told.own, told.labels.labels),
        known=[row for compared in told.known for row in rows(compared, f"{compared.name}: ", ("UAR",))],
        absent=told.absent,
        facts=facts,
        stages=stages,
        few=FEW_GROUPS,
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def _own(compared: Compared, labels: Sequence[str]) -> dict[str, Any]:
    before, after = compared.before, compared.after
    return {
        "rows": rows(compared),
        "recalls": [
            (label, int(total), bars([(was, None), (now, None)]), f"{_number(was)} → {_number(now)}")
            for label, was, now, total in zip(labels, _recalls(before), _recalls(after), after.confusion.sum(1), strict=True)
        ],
        "confusion": [("before", heat(before)), ("after", heat(after))],
        "alone": [
            ("the language model" if name == LANGUAGE else "the head on these labels", _number(one.score(STATISTICS["UAR"])[0]))
            for name, one in compared.alone.items()
        ],
        "worst": worst(after),
    }


def rows(compared: Compared, prefix: str = "", names: Sequence[str] = tuple(STATISTICS)) -> list[Row]:
    """One for each statistic that the clips define."""
    out, clips = [], compared.after.clips
    for name in names if clips else ():
        (was, was_interval), (now, now_interval) = (one.score(STATISTICS[name]) for one in (compared.before, compared.after))
        change = compared.after.since(compared.before, STATISTICS[name])
        drawn = bars([(was, was_interval), (now, now_interval)])
        told = [_with(was, was_interval), _with(now, now_interval), _with(change.value, change.interval, "+")]
        out.append(Row(f"{prefix}{name}", len(clips), len({clip.group for clip in clips}), *told, drawn))
    return out


def worst(told: Answers) -> list[dict[str, str]]:
    """Wrong answers, the surest first."""
    wrong = np.flatnonzero(told.said != told.truth)
    first = sorted(wrong, key=lambda n: -told.probabilities[n, told.said[n]])[:WORST]
    return [
        {
            "record": told.clips[n].record,
            "truth": told.labels[told.truth[n]],
            "said": told.labels[told.said[n]],
            "sure": _number(told.probabilities[n, told.said[n]]),
            "true_p": _number(told.probabilities[n, told.truth[n]]),
            "bars": bars([(p, None) for p in told.probabilities[n]], paired=False),
        }
        for n in first
    ]


# drawings


def bars(values: Sequence[tuple[float, tuple[float, float] | None]], paired: bool = True) -> Markup:
    """Values in 0..1 below each other, their intervals as lines through them. The first of a pair is what was before."""
    parts = []
    for row, (value, interval) in enumerate(values):
        y, kind = row * ROW, "was" if row == 0 and paired else "now"
        parts.append(element("rect", class_="track", x=0, y=y, width=WIDTH, height=ROW - 3))
        if np.isfinite(value):
            parts.append(element("rect", class_=kind, x=0, y=y, width=f"{WIDTH * value:.1f}", height=ROW - 3))
        if interval is not None:
            ends = f"M{WIDTH * interval[0]:.1f} {y + ROW / 2 - 1.5}H{WIDTH * interval[1]:.1f}"
            parts.append(element("path", class_="whisker", d=ends))
    return element("svg", *parts, width=WIDTH, height=ROW * len(values), aria_hidden="true")


def heat(told: Answers) -> Markup:
    """Rows: what it is; columns: what was said; as dark as the share of the row."""
    counts, k = told.confusion, len(told.labels)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    parts = []
    for i, truth in enumerate(told.labels):
        parts.append(text(_short(truth), x=LEFT - 6, y=CELL * (i + 1) - 12, class_="end"))
        turned = f"translate({LEFT + CELL * (i + 0.5):.0f} {CELL * k + 10}) rotate(-40)"
        parts.append(text(_short(truth), x=0, y=0, class_="end", transform=turned))
        for j, said in enumerate(told.labels):
            hint = Markup("<title>{}</title>").format(f"{truth} called {said}: {counts[i, j]}")
            place = {"x": LEFT + CELL * j, "y": CELL * i}
            parts.append(element("rect", hint, class_="cell", width=CELL - 2, height=CELL - 2,
                                 fill_opacity=f"{share[i, j]:.2f}", **place))  # fmt: skip
            middle = {"x": place["x"] + CELL / 2 - 1, "y": place["y"] + CELL / 2 + 4}
            parts.append(text(str(counts[i, j]), class_="light" if share[i, j] > 0.5 else "middle", **middle))
    size = {"width": LEFT + CELL * k + 10, "height": CELL * k + 80}
    return element("svg", *parts, role="img", aria_label="confusion of truth by answer", **size)


def _short(label: str) -> str:
    return label if len(label) <= 15 else f"{label[:14]}…"


def _recalls(told: Answers) -> np.ndarray:
    return recalls(np.column_stack([told.confusion, np.zeros(len(told.labels), int)]))


def _number(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{value:.2f}"


def _with(value: float | None, interval: tuple[float, float] | None, sign: str = "") -> str:
    told = "–" if value is None or not np.isfinite(value) else f"{value:{sign}.2f}"
    return told if interval is None else f"{told} ({interval[0]:{sign}.2f} to {interval[1]:{sign}.2f})"
