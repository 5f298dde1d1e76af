"""Sentiment intensities of MOSI, MOSEI (-3..3) and CH-SIMS (-1..1), as MMSA scores them, and MER-UniBench's polarity.

Two differences to MMSA's code are meant: F1 is weighted by the classes of the truth (MMSA hands the arguments over the wrong way
round and weighs by the answers), and an answer that could not be read is wrong in every accuracy. In errors and correlation it
counts as the farther end of the scale.
"""

from collections.abc import Callable, Sequence

import numpy as np

from emoreason.scoring.metrics.affect import farthest, mae, numbers, pearson
from emoreason.scoring.metrics.checks import same_length
from emoreason.scoring.metrics.classification import accuracy, on_rows, weighted_f1
from emoreason.scoring.metrics.ratios import mean_defined
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure

_Classes = tuple[Callable[[np.ndarray], np.ndarray], int]  # values -> classes 0..K-1, and K


def rounded(limit: int) -> _Classes:
    """Clipped to +-limit and rounded to whole numbers, halves to the even one (NumPy's rule, which MMSA inherits)."""
    return lambda values: np.round(np.clip(values, -limit, limit)) + limit, 2 * limit + 1


def binned(*bounds: float) -> _Classes:
    """Bins that are open on the left and closed on the right: 0 belongs to the bin that ends in 0."""
    return lambda values: np.digitize(values, bounds, right=True).astype(float), len(bounds) + 1


def negative_or_not() -> _Classes:
    """ "Has0": below zero against zero and above."""
    return lambda values: (values >= 0).astype(float), 2


def positive_or_not() -> _Classes:
    """Above zero against the rest."""
    return lambda values: (values > 0).astype(float), 2


# name -> (classes, whether truths of exactly 0 are left out)
_MOSI: dict[str, tuple[_Classes, bool]] = {
    "acc2_has0": (negative_or_not(), False),
    "acc2_non0": (positive_or_not(), True),
    "acc3": (rounded(1), False),
    "acc5": (rounded(2), False),
    "acc7": (rounded(3), False),
}
_SIMS: dict[str, tuple[_Classes, bool]] = {
    "acc2": (binned(0.0), False),
    "acc3": (binned(-0.1, 0.1), False),
    "acc5": (binned(-0.7, -0.1, 0.1, 0.7), False),
}


def mosi_scores(truth: Sequence[float], answers: Sequence[float | None], protocol: Protocol = PLAIN) -> list[Score]:
    """CMU-MOSI and MOSEI: Acc-2 and F1 with and without the zeros, Acc-3/5/7, MAE, correlation. Values in [-3, 3]."""
    return _scores(truth, answers, 3.0, _MOSI, ("acc2_has0", "acc2_non0"), protocol)


def sims_scores(truth: Sequence[float], answers: Sequence[float | None], protocol: Protocol = PLAIN) -> list[Score]:
    """CH-SIMS and v2: Acc-2/3/5, F1 of the two classes, MAE, correlation. Values in [-1, 1]."""
    return _scores(truth, answers, 1.0, _SIMS, ("acc2",), protocol)


def polarity_scores(truth: Sequence[float], answers: Sequence[str | None], protocol: Protocol = PLAIN) -> list[Score]:
    """MER-UniBench: weighted F1 (WAF) and accuracy of positive against the rest, on the samples whose truth is not 0.

    answers: "positive", "negative" or "neutral". By that protocol a neutral answer falls to the negative side, where it may be
    right by chance: `parts` tells the share of such answers.
    """
    same_length(truths=truth, answers=answers)
    true = np.asarray(truth, dtype=float)
    signs = {"positive": 1.0, "negative": -1.0, "neutral": 0.0}
    predicted = np.array([signs.get(answer or "", np.nan) for answer in answers], dtype=float)
    counted = true != 0
    parts = {"neutral": mean_defined(predicted[counted] == 0)}
    return _class_scores("polarity_acc", "polarity_waf", positive_or_not(), true, predicted, counted, protocol, parts)[::-1]


def _scores(
    truth: Sequence[float],
    answers: Sequence[float | None],
    limit: float,
    table: dict[str, tuple[_Classes, bool]],
    with_f1: Sequence[str],
    protocol: Protocol,
) -> list[Score]:
    same_length(truths=truth, answers=answers)
    true = numbers(truth, "true sentiment", -limit, limit)
    # MMSA clips, so that models may overshoot
    predicted = numbers(answers, "predicted sentiment", -np.inf, np.inf, may_lack=True)
    scores = []
    for name, (classes, skip_zero) in table.items():
        counted = true != 0 if skip_zero else np.ones(len(true), dtype=bool)
        f1 = name.replace("acc2", "f1") if name in with_f1 else None
        scores += _class_scores(name, f1, classes, true, predicted, counted, protocol)
    columns, silent = (true, farthest(true, predicted, -limit, limit)), int(np.isnan(predicted).sum())
    return [
        *scores,
        measure("mae", mae, columns, protocol, "scale", silent),
        measure("pearson", pearson, columns, protocol, "1", silent),
    ]


def _class_scores(
    name: str,
    f1_name: str | None,
    classes: _Classes,
    true: np.ndarray,
    predicted: np.ndarray,
    counted: np.ndarray,
    protocol: Protocol,
    parts: dict[str, float] | None = None,
) -> list[Score]:
    of, k = classes
    columns = of(true).astype(int), np.where(np.isnan(predicted), k, of(predicted)).astype(int)
    silent = int(np.isnan(predicted[counted]).sum())
    kinds = [(name, accuracy)] + ([(f1_name, weighted_f1)] if f1_name else [])
    return [measure(kind, on_rows(value, k), columns, protocol, "ratio", silent, parts, counted) for kind, value in kinds]
