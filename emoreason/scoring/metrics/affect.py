"""Valence and arousal on a continuous scale: concordance (CCC), RMSE, correlation, sign agreement (SAGR).

NaN in the answers is an answer that could not be read. It counts as the end of the scale that is farther from the truth: as wrong
as an answer can be, so that staying silent never pays.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from emoreason.scoring.metrics.checks import ScoringError, same_length
from emoreason.scoring.metrics.ratios import ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure


def numbers(values: Sequence[float | None], what: str, low: float, high: float, may_lack: bool = False) -> np.ndarray:
    """[N] floats, None as NaN. Raises ScoringError for numbers off the scale, and for missing ones unless `may_lack`."""
    found = np.array([np.nan if value is None else value for value in values], dtype=float)
    if not may_lack and np.isnan(found).any():
        raise ScoringError(f"{what}: {int(np.isnan(found).sum())} values are missing or NaN; leave unlabelled samples out")
    if ((found < low) | (found > high) | np.isinf(found)).any():
        raise ScoringError(f"{what}: values must lie in [{low:g}, {high:g}], got {np.nanmin(found):g} to {np.nanmax(found):g}")
    return found


def farthest(truth: np.ndarray, predicted: np.ndarray, low: float, high: float) -> np.ndarray:
    """`predicted` with NaN replaced by the end of the scale that is farther from the truth (from its middle: the low end)."""
    return np.where(np.isnan(predicted), np.where(truth - low >= high - truth, low, high), predicted)


def ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Concordance 2 cov / (var + var + (difference of means)^2), population moments (Lin 1989), over all samples pooled.

    In [-1, 1]; 0 where one side is constant, NaN where both are the same constant or there is no sample.
    """
    if not len(truth):
        return float("nan")
    covariance = ((truth - truth.mean()) * (predicted - predicted.mean())).mean()
    return ratio(2 * covariance, truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2).item()


def pearson(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Correlation in [-1, 1]; NaN where one side is constant."""
    if not len(truth) or np.ptp(truth) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    centred = truth - truth.mean(), predicted - predicted.mean()
    bound = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
    return float(np.clip(ratio((centred[0] * centred[1]).sum(), bound), -1, 1))


def rmse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Root of the mean squared error, in units of the scale."""
    return float(np.sqrt(((truth - predicted) ** 2).mean())) if len(truth) else float("nan")


def mae(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean absolute error, in units of the scale."""
    return float(np.abs(truth - predicted).mean()) if len(truth) else float("nan")


def sagr(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of samples with the same sign; 0 has a sign of its own (Nicolaou et al. 2011; AffectNet)."""
    return float((np.sign(truth) == np.sign(predicted)).mean()) if len(truth) else float("nan")


_KINDS = (("ccc", ccc, "1"), ("rmse", rmse, "scale"), ("pearson", pearson, "1"), ("sagr", sagr, "ratio"))


def affect_scores(
    truth: Mapping[str, Sequence[float]],
    answers: Mapping[str, Sequence[float | None]],
    protocol: Protocol = PLAIN,
    low: float = -1.0,
    high: float = 1.0,
) -> list[Score]:
    """CCC, RMSE, correlation and SAGR of each dimension ("valence", "arousal"), and the mean CCC that ABAW ranks by."""
    if truth.keys() != answers.keys() or not truth:
        raise ScoringError(f"truth and answers must be about the same dimensions, got {list(truth)} and {list(answers)}")
    same_length(**{f"{side} {name}": v for side, by in (("true", truth), ("predicted", answers)) for name, v in by.items()})
    columns, scores, silent = [], [], 0
    for name in truth:
        true = numbers(truth[name], f"true {name}", low, high)
        predicted = numbers(answers[name], f"predicted {name}", low, high, may_lack=True)
        silent = max(silent, unanswered := int(np.isnan(predicted).sum()))
        pair = (true, farthest(true, predicted, low, high))
        columns += pair
        for metric, value, unit in _KINDS:
            scores.append(measure(f"{name}_{metric}", value, pair, protocol, unit, unanswered))
    parts = {score.metric: np.nan if score.value is None else score.value for score in scores if score.metric.endswith("_ccc")}

    def mean_ccc(*columns: np.ndarray) -> float:
        return float(np.mean([ccc(*columns[k : k + 2]) for k in range(0, len(columns), 2)]))

    return [*scores, measure("mean_ccc", mean_ccc, columns, protocol, "1", silent, parts)]
