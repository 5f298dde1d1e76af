"""From probabilities to a verdict: the pooled probabilities of several stretches, and which label they name, if any.

Letters: K labels.
"""

from collections.abc import Sequence

import numpy as np

MIN_CONFIDENCE = 0.35  # of eight labels, among which a guess has 0.125
MIN_MARGIN = 0.05  # between the two strongest labels
REST_WEIGHT = 0.1  # of a stretch that shows nothing: seconds of rest around an expression must not vote it down
_FLOOR = 1e-6  # of a probability, so that a single zero does not decide a mean of logarithms


def decide(p: np.ndarray, labels: Sequence[str], least_confidence: float | None = None) -> tuple[str | None, str | None]:
    """The label that `p` [K] names, or None and the reason.

    No label is named below `least_confidence` (None: MIN_CONFIDENCE, and of more than eight labels as many times chance), nor
    where the two strongest are closer than MIN_MARGIN.
    """
    order = np.argsort(-p, kind="stable")
    first, second = p[order[0]], p[order[1]]
    least = MIN_CONFIDENCE * min(1.0, 8 / len(labels)) if least_confidence is None else least_confidence
    if first < least or first - second < MIN_MARGIN:
        return None, f"the cues fit {labels[order[0]]} and {labels[order[1]]} about equally, and neither well"
    return labels[order[0]], None


def pool(probabilities: Sequence[np.ndarray | None], weights: Sequence[float]) -> np.ndarray | None:
    """[K] normalised weighted geometric mean of the stretches that have probabilities and a positive weight; None without any."""
    usable = [(p, weight) for p, weight in zip(probabilities, weights, strict=True) if p is not None and weight > 0]
    if not usable:
        return None
    logs = np.log(np.clip([p for p, _ in usable], _FLOOR, 1))
    pooled = np.exp(np.average(logs, axis=0, weights=[weight for _, weight in usable]))
    return pooled / pooled.sum()


def shown_weight(neutral: np.ndarray | float) -> np.ndarray | float:
    """Weight in a mean over time of what is neutral with that probability: from REST_WEIGHT at rest up to 1."""
    return REST_WEIGHT + (1 - REST_WEIGHT) * (1 - neutral) ** 2
