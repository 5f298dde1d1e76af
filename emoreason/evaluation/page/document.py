"""Fills the template of a result page. Everything from outside is escaped by it; styles are allowed by their hash alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from emoreason.evaluation.page.charts import bar_svg, reliability_svg, risk_coverage_svg
from emoreason.evaluation.page.described import described
from emoreason.evaluation.results import Row
from emoreason.evaluation.scores import Scoring, sureness, unit_tables
from emoreason.evaluation.worst import Worst
from emoreason.instructions.label_tasks import SENTIMENTS
from emoreason.labels.action_units import ACTION_UNITS, ACTIVE
from emoreason.report.page import sheet
from emoreason.scoring.metrics.action_units import counts
from emoreason.scoring.metrics.calibration import reliability, risk_coverage
from emoreason.scoring.metrics.classification import confusion, encode, f1s, recalls
from emoreason.scoring.metrics.score import Score

MOST_FAILURES = 40
MOST_PAIRS = 8  # of a sample shown
SHADES = 9  # classes s0..s9 of the confusion matrix
STATUS = {
    "answered": "answered",
    "silent": "nothing to go on",
    "unparsable": "answer could not be read",
    "failed": "could not be measured or asked",
}


def page(
    run: Mapping[str, Any],
    scoring: Scoring,
    rows: Sequence[Row],
    scores: Sequence[Score],
    folds: Mapping[int, float | None],
    worst: Sequence[Worst],
) -> str:
    """One HTML document without any outside reference, except links to the reports beside it."""
    css = Markup(sheet.style() + resources.files(__package__).joinpath("page.css").read_text("utf-8"))
    return _template().render(
        css=css,
        policy=sheet.policy(css),
        run=run,
        suite=scoring.suite,
        rows=rows,
        scores=scores,
        primary=scores[0],
        folds=folds,
        statuses=[(STATUS[name], count) for name, count in Counter(row.status for row in rows).most_common()],
        reasons=Counter(row.reason or "no reason given" for row in rows if row.status != "answered").most_common(8),
        failed=[row for row in rows if row.status == "failed"][:MOST_FAILURES],
        failed_count=sum(row.status == "failed" for row in rows),
        worst=worst,
        **_kind(scoring, rows, scores),
    )


def _kind(scoring: Scoring, rows: Sequence[Row], scores: Sequence[Score]) -> dict[str, Any]:
    """The charts of one kind of suite; what it does not have is None."""
    kind, charts = scoring.suite.kind, dict.fromkeys(("matrix", "reliability", "risk", "units", "parts"))
    if kind == "emotion":
        charts["matrix"] = matrix(scoring.labels, rows)
        if scoring.suite.answer != "free":  # a written label has no confidence
            bins, curve = reliability(*sureness(rows)), risk_coverage(*sureness(rows))
            charts |= {"reliability": reliability_svg(bins), "risk": risk_coverage_svg(curve)}
    elif kind == "sentiment" and all(row.truth["label"] for row in rows):
        charts["matrix"] = matrix(SENTIMENTS, rows)
    elif kind == "action_units":
        charts["units"] = units(scoring, rows)
    elif kind in ("causes", "open_vocabulary"):
        charts["parts"] = [(name, value) for name, value in scores[0].parts.items() if value is not None]
    return charts


def matrix(labels: Sequence[str], rows: Sequence[Row]) -> dict[str, Any]:
    """Counts of truth by answer, with recall and F1 of each class; the last column is for samples without an answer."""
    said = [row.prediction["label"] if row.prediction else None for row in rows]
    table = confusion(*encode([row.truth["label"] for row in rows], said, labels), len(labels))
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    named = zip(labels, table.tolist(), share.tolist(), recalls(table).tolist(), f1s(table).tolist(), strict=True)
    lines = [
        {"label": label, "n": sum(row), "recall": _known(recall), "f1": _known(f1), "cells": _cells(row, shares, place)}
        for place, (label, row, shares, recall, f1) in enumerate(named)
    ]
    return {"labels": list(labels), "lines": lines}


def _cells(row: Sequence[int], shares: Sequence[float], right: int) -> list[dict[str, Any]]:
    pairs = enumerate(zip(row, shares, strict=True))
    return [{"n": n, "shade": round(SHADES * share), "right": k == right} for k, (n, share) in pairs]


def units(scoring: Scoring, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """F1, precision and recall of each unit, and how often it is there."""
    truth, said = unit_tables(scoring.suite, rows)
    lines = []
    for au, (hits, false, missed) in zip(scoring.suite.units, counts(truth, said).tolist(), strict=True):
        ratio = {"f1": (2 * hits, 2 * hits + false + missed), "precision": (hits, hits + false), "recall": (hits, hits + missed)}
        values = {name: above / below if below else None for name, (above, below) in ratio.items()}
        f1 = values["f1"] if hits + missed else None  # nothing to find: no F1 can be measured
        lines.append({"au": au, "name": ACTION_UNITS[au].name, "positives": hits + missed, "false": false, **values, "f1": f1,
                      "bar": None if f1 is None else bar_svg(f1)})  # fmt: skip
    return lines


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def number(value: float | None) -> str:
    """Three decimals, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def phrase(content: Any) -> str:
    """A truth or an answer in words."""
    if not isinstance(content, Mapping):
        return "no answer"
    if "units" in content:
        bound = content.get("bound", ACTIVE)  # a coder's True is 1
        shown = {au: value for au, value in content["units"].items() if value and value >= bound}
        return ", ".join(au if value is True else f"{au} {value:.2f}" for au, value in shown.items()) or "none"
    if "pairs" in content:
        named = [f"{a} because of {b}" + (f" ({emotion})" if emotion else "") for a, b, emotion in content["pairs"]]
        more = f" and {len(named) - MOST_PAIRS} more" if len(named) > MOST_PAIRS else ""
        return "; ".join(named[:MOST_PAIRS]) + more or "no pair"
    if "words" in content:
        return ", ".join(content["words"]) or "no word"
    if "counts" in content:
        claims = {name: pair[0] for name, pair in content["counts"].items() if name.endswith("_rate")}
        return ", ".join(f"{n:g} {name.removesuffix('_rate')}" for name, n in claims.items()) or "no claim"
    if "valence" in content:
        return f"valence {content['valence']:+.2f}, arousal {content['arousal']:+.2f}"
    if "asked" in content:
        return f"{content['answer']} to “{content['asked']}”"
    return str(content.get("label") or content.get("answer") or content.get("score") or "no label")


@cache
def _template() -> jinja2.Template:
    environment = sheet.environment("emoreason.evaluation", "page")
    environment.filters |= {"number": number, "phrase": phrase, "described": described}
    environment.globals |= {"bar": bar_svg}
    return environment.get_template("page.html.j2")
