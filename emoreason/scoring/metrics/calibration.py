"""Whether confidence means what it says: calibration error, Brier score, and what abstaining buys.

Letters: N samples, K classes. An abstained or unreadable answer has no confidence: give 0 for it and count it wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.scoring.metrics.checks import ScoringError, same_length
from emoreason.scoring.metrics.ratios import ratio
from emoreason.scoring.metrics.score import PLAIN, Protocol, Score, measure

BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose confidence lies in (low, high] (the first bin has 0 too): a bar of the reliability diagram."""

    low: float
    high: float
    n: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class RiskCoverage:
    """Accepting every answer with at least thresholds[i] covers coverage[i] of the samples at an error rate of risk[i].

    One point for each different confidence, from the surest down; so answers of equal confidence are accepted together.
    """

    thresholds: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray

    @property
    def area(self) -> float:
        """AURC: mean risk over coverage (Geifman & El-Yaniv 2017), each point weighted by the coverage it adds. NaN if empty."""
        return float(np.diff(self.coverage, prepend=0.0) @ self.risk) if len(self.risk) else float("nan")


def reliability(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> list[ReliabilityBin]:
    """Equal-width bins, empty ones included (their confidence and accuracy are None)."""
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for k in range(bins):
        inside = place == k
        means = (float(confidence[inside].mean()), float(correct[inside].mean())) if inside.any() else (None, None)
        found.append(ReliabilityBin(k / bins, (k + 1) / bins, int(inside.sum()), *means))
    return found


def ece(confidence: np.ndarray, correct: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al. 2017): mean |accuracy - confidence| over bins, by their samples. In [0, 1]."""
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=correct - confidence, minlength=bins)
    return ratio(np.abs(gaps).sum(), len(confidence)).item()


def brier(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean over samples of the squared error over all classes (Brier 1950): 0 perfect, 2 sure and wrong. [N, K], [N] places."""
    if not len(truth):
        return float("nan")
    return float(((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(1).mean())


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> RiskCoverage:
    """Error rate among the accepted for every threshold."""
    thresholds, inverse = np.unique(-np.asarray(confidence, dtype=float), return_inverse=True)
    accepted = np.bincount(inverse, minlength=len(thresholds)).cumsum()
    wrong = np.bincount(inverse, weights=1.0 - np.asarray(correct, dtype=float), minlength=len(thresholds)).cumsum()
    return RiskCoverage(-thresholds, accepted / max(len(inverse), 1), wrong / np.maximum(accepted, 1))


def abstention_threshold(confidence: np.ndarray, correct: np.ndarray, highest_risk: float) -> float | None:
    """The smallest confidence to accept so that at most `highest_risk` of the accepted are wrong; None where none will do.

    Choose it on validation samples: on those it was chosen on, the risk is flattering.
    """
    if not 0 <= highest_risk <= 1:
        raise ScoringError(f"a risk is a share of wrong answers in [0, 1], got {highest_risk}")
    curve = risk_coverage(confidence, correct)
    good = np.flatnonzero(curve.risk <= highest_risk)
    return float(curve.thresholds[good[-1]]) if len(good) else None


def calibration_scores(
    confidence: Sequence[float],
    correct: Sequence[bool],
    probabilities: np.ndarray | None = None,
    truth: Sequence[int] | None = None,
    protocol: Protocol = PLAIN,
) -> list[Score]:
    """ECE, AURC and, with probabilities [N, K] and true places [N], the Brier score."""
    same_length(confidences=confidence, verdicts=correct)
    columns = _shares(confidence, "confidence"), np.asarray(correct, dtype=float)
    scores = [
        measure("ece", ece, columns, protocol),
        measure("aurc", lambda sure, right: risk_coverage(sure, right).area, columns, protocol),
    ]
    if probabilities is None or truth is None:
        return scores
    table, places = _shares(probabilities, "probability"), np.asarray(truth, dtype=int)
    same_length(confidences=confidence, probabilities=table, truths=places)
    sums = table.ndim == 2 and np.allclose(table.sum(1), 1, atol=1e-3)
    if len(table) and not (sums and np.isin(places, range(table.shape[1])).all()):
        raise ScoringError(f"Brier score: probabilities {table.shape} must sum to 1 and truths be places among their columns")
    return [*scores, measure("brier", brier, (table, places), protocol, "1")]


def _shares(values: Sequence[float] | np.ndarray, what: str) -> np.ndarray:
    found = np.asarray(values, dtype=float)
    if not ((found >= 0) & (found <= 1)).all():
        raise ScoringError(f"every {what} must be a number in [0, 1]; give 0 for an abstained answer and count it wrong")
    return found
