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
from emoreason.evaluation.results import SampleResult
from emoreason.evaluation.tasks import EvaluationTask
from emoreason.evaluation.worst import WorstSample
from emoreason.report.page import sheet
from emoreason.scoring.metrics.calibration import reliability, risk_coverage
from emoreason.scoring.metrics.classification import confusion, encode, f1s, recalls
from emoreason.scoring.metrics.score import Score, number_or_none

MOST_FAILURES = 40
SHADES = 9  # classes s0..s9 of the confusion matrix
STATUS = {
    "answered": "answered",
    "silent": "nothing to go on",
    "unparsable": "answer could not be read",
    "failed": "could not be measured or asked",
}


def page(
    run: Mapping[str, Any],
    task: EvaluationTask,
    rows: Sequence[SampleResult],
    scores: Sequence[Score],
    folds: Mapping[int, float | None],
    worst: Sequence[WorstSample],
) -> str:
    """One HTML document without any outside reference, except links to the reports beside it."""
    css = Markup(sheet.style() + resources.files(__package__).joinpath("page.css").read_text("utf-8"))
    figures = task.figures(rows, scores)
    labelled, confidence = figures.get("confusion"), figures.get("confidence")
    return _template().render(
        css=css,
        policy=sheet.policy(css),
        run=run,
        suite=task.suite,
        describe=task.describe,
        phrase=lambda content: "no answer" if content is None else task.phrase(content),
        rows=rows,
        scores=scores,
        primary=scores[0],
        folds=folds,
        statuses=[(STATUS[name], count) for name, count in Counter(row.status for row in rows).most_common()],
        reasons=Counter(row.reason or "no reason given" for row in rows if row.status != "answered").most_common(8),
        failed=[row for row in rows if row.status == "failed"][:MOST_FAILURES],
        failed_count=sum(row.status == "failed" for row in rows),
        worst=worst,
        matrix=labelled and matrix(*labelled),
        reliability=confidence and reliability_svg(reliability(*confidence)),
        risk=confidence and risk_coverage_svg(risk_coverage(*confidence)),
        units=figures.get("units"),
        parts=figures.get("parts"),
    )


def matrix(labels: Sequence[str], rows: Sequence[SampleResult]) -> dict[str, Any]:
    """Counts of truth by answer, with recall and F1 of each class; the last column is for samples without an answer."""
    table = confusion(*encode([row.truth["label"] for row in rows], [row.get("label") for row in rows], labels), len(labels))
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    lines = [
        {
            "label": label,
            "n": sum(counts),
            "recall": number_or_none(recall),
            "f1": number_or_none(f1),
            "cells": [{"n": n, "shade": round(SHADES * float(share[k, j])), "right": j == k} for j, n in enumerate(counts)],
        }
        for k, (label, counts, recall, f1) in enumerate(zip(labels, table.tolist(), recalls(table), f1s(table), strict=True))
    ]
    return {"labels": list(labels), "lines": lines}


def number(value: float | None) -> str:
    """Three decimals, or a dash."""
    return "–" if value is None else f"{value:.3f}"


@cache
def _template() -> jinja2.Template:
    environment = sheet.environment("emoreason.evaluation", "page")
    environment.filters |= {"number": number}
    environment.globals |= {"bar": bar_svg}
    return environment.get_template("page.html.j2")
