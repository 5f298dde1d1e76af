"""Facial action units: F1 of each and their mean over the usual sets, agreement of intensities.

Letters: N samples (frames or pictures), A action units. In the truth NaN means that nobody coded the unit there: it is neither
right nor wrong. In the answers NaN means that there is no answer: wrong, whatever is true.
"""

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np

from emoreason.scoring.metrics.affect import farthest, mae
from emoreason.scoring.metrics.checks import ScoringError, index_of, same_length
from emoreason.scoring.metrics.intervals import Statistic
from emoreason.scoring.metrics.ratios import mean_defined, ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure


def _aus(numbers: str) -> tuple[str, ...]:
    return tuple(f"AU{int(number):02d}" for number in numbers.split())


# The units that papers average over. CK+ 16: those coded in at least 20 of its 257 labelled sequences in CK+48.
AU_SETS = {
    "disfa8": _aus("1 2 4 6 9 12 25 26"),
    "bp4d12": _aus("1 2 4 6 7 10 12 14 15 17 23 24"),
    "ckplus16": _aus("1 2 4 5 6 7 9 12 14 15 17 20 23 24 25 27"),
    "disfa12": _aus("1 2 4 5 6 9 12 15 17 20 25 26"),
    "affwild2_12": _aus("1 2 4 6 7 10 12 15 23 24 25 26"),
}
DISFA_POSITIVE = 2  # intensity 0-5 from which DISFA counts a unit as present


def present(
    units: Sequence[Collection[str] | None], aus: Sequence[str], coded: Sequence[Collection[str]] | None = None
) -> np.ndarray:
    """[N, A] of 0 and 1 from sets of units; None (no answer) and units outside `coded` become NaN. Other units are not scored."""
    place = index_of(aus)
    table = np.zeros((len(units), len(aus)))
    for row, predicted in enumerate(units):
        if predicted is None:
            table[row] = np.nan
            continue
        table[row, [place[au] for au in set(predicted) if au in place]] = 1
        if coded is not None:
            table[row, [place[au] for au in aus if au not in coded[row]]] = np.nan
    return table


def counts(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """[A, 3] true positives, false positives, false negatives. No answer is false for every coded unit."""
    coded = ~np.isnan(truth)
    true = truth == 1
    named = np.where(np.isnan(predicted), ~true, predicted == 1)
    return np.stack([(coded & mask).sum(0) for mask in (true & named, ~true & named, true & ~named)], axis=1)


def f1s(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """[A] F1 of the positives; NaN for a unit without positives in the truth, on which no F1 can be measured."""
    hits, false, missed = counts(truth, predicted).T
    return np.where(hits + missed > 0, ratio(2 * hits, 2 * hits + false + missed), np.nan)


def mean_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the units that have positives."""
    return mean_defined(f1s(truth, predicted))


def sample_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over samples of 2|both| / (|true| + |named|), 1 where nothing is true and nothing named: VidEmo's figure."""
    hits, false, missed = counts(truth.T, predicted.T).T
    return mean_defined(np.where(hits + false + missed > 0, ratio(2 * hits, 2 * hits + false + missed), 1.0))


def icc31(truth: np.ndarray, predicted: np.ndarray) -> float:
    """ICC(3,1): consistency of two raters, (BMS - EMS) / (BMS + EMS) (Shrout & Fleiss 1979). NaN with fewer than two samples
    or where neither varies; in [-1, 1]."""
    n = len(truth)
    if n < 2:
        return float("nan")
    ratings = np.stack([truth, predicted], axis=1)  # [N, 2]
    deviations = ratings - ratings.mean(1, keepdims=True) - ratings.mean(0) + ratings.mean()
    between = 2 * ((ratings.mean(1) - ratings.mean()) ** 2).sum() / (n - 1)
    error = (deviations**2).sum() / (n - 1)
    return ratio(between - error, between + error).item()


def au_scores(
    truth: np.ndarray, predicted: np.ndarray, aus: Sequence[str], name: str = "au", protocol: Protocol = PLAIN
) -> list[Score]:
    """F1 of each unit (as parts) with their mean, and the mean F1 of samples. Truth and answers [N, A] as of `present`.

    A `parts` value of None is a unit without positives: it is not in the mean.
    """
    truth, predicted = _checked(truth, predicted, aus, highest=1.0)
    if not np.isin([*truth[~np.isnan(truth)], *predicted[~np.isnan(predicted)]], (0, 1)).all():
        raise ScoringError("action units are 0 or 1, or NaN where not coded; for graded ones use intensity_scores")
    silent = int(np.isnan(predicted).any(1).sum())
    parts = dict(zip(aus, f1s(truth, predicted), strict=True))
    return [
        measure(f"{name}_mean_f1", mean_f1, (truth, predicted), protocol, unanswered=silent, parts=parts),
        measure(f"{name}_sample_f1", sample_f1, (truth, predicted), protocol, unanswered=silent),
    ]


def intensity_scores(
    truth: np.ndarray, predicted: np.ndarray, aus: Sequence[str], highest: float = 5.0, protocol: Protocol = PLAIN
) -> list[Score]:
    """Mean ICC(3,1) and mean absolute error over units, intensities 0 to `highest` (FACS letters A-E are 1-5).

    An intensity that could not be read counts as the end of the scale that is farther from the truth.
    """
    truth, predicted = _checked(truth, predicted, aus, highest)
    columns = (truth, farthest(truth, predicted, 0.0, highest))
    silent = int(np.isnan(predicted).any(1).sum())
    scores = []
    for name, value, unit in (("intensity_icc31", icc31, "1"), ("intensity_mae", mae, "scale")):
        by_unit = partial(_by_unit, value)
        parts = dict(zip(aus, by_unit(*columns), strict=True))
        scores.append(measure(name, lambda t, p, of=by_unit: mean_defined(of(t, p)), columns, protocol, unit, silent, parts))
    return scores


def _by_unit(value: Statistic, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """[A] `value` of each unit, over the samples on which it is coded."""
    coded = ~np.isnan(truth)
    return np.array([value(truth[c, a], predicted[c, a]) for a, c in enumerate(coded.T)])


def _checked(truth: np.ndarray, predicted: np.ndarray, aus: Sequence[str], highest: float) -> tuple[np.ndarray, np.ndarray]:
    truth, predicted = np.asarray(truth, dtype=float), np.asarray(predicted, dtype=float)
    same_length(truths=truth, answers=predicted)
    index_of(aus)
    if truth.shape != predicted.shape or truth.shape[1:] != (len(aus),):
        raise ScoringError(f"action units: truth {truth.shape} and answers {predicted.shape} must be [samples, {len(aus)} units]")
    for name, table in (("truth", truth), ("answers", predicted)):
        known = table[~np.isnan(table)]
        if ((known < 0) | (known > highest)).any():
            raise ScoringError(f"action units: {name} must be in [0, {highest:g}] or NaN, got {known.min():g} to {known.max():g}")
    return truth, predicted
