"""Ratios and means where 0 / 0 is undefined (NaN), not 0."""

import numpy as np


def ratio(part: np.ndarray | float, whole: np.ndarray | float) -> np.ndarray:
    """part / whole, NaN where the whole is 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0)


def ratio_of_sums(pairs: np.ndarray) -> float:
    """Sum of numerators over sum of denominators of [N, 2]; NaN where the latter is 0."""
    above, below = pairs.sum(0)
    return ratio(above, below).item()


def mean_defined(values: np.ndarray) -> float:
    """Mean of what is defined; NaN where nothing is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def f_score(precision: float, recall: float) -> float:
    """2PR / (P + R); 0 where both are 0, NaN where one is undefined."""
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0
