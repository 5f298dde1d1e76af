"""How far a score could differ on other subjects: bootstrap over groups, and paired differences of two systems.

Samples of one subject, speaker or dialogue are alike, so whole groups are drawn with replacement (Field & Welsh 2007,
"Bootstrapping clustered data", J. R. Statist. Soc. B 69). Intervals are percentiles; with fewer than about ten groups
they are too narrow.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emoreason.scoring.metrics.checks import ScoringError, same_length

Statistic = Callable[..., float]  # of columns, arrays with one row for each sample; NaN where it is not defined
Groups = Sequence[Hashable] | None
LEVEL = 0.95
FEW_GROUPS = 10  # fewer of them make intervals that are too narrow
_LEAST_DEFINED = 0.5  # share of resamples in which the statistic must be defined


@dataclass(frozen=True)
class Difference:
    """a - b on the same samples. `better`: share of resamples in which a has the larger value, ties counted half."""

    value: float | None
    interval: tuple[float, float] | None
    better: float | None
    n: int


def bootstrap(
    statistic: Statistic, columns: Sequence[np.ndarray], groups: Groups = None, resamples: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of `statistic(*columns)`; None with fewer than two groups or where it is mostly undefined.

    Resamples in which the statistic is NaN (a class without a sample, say) are left out.
    """
    values = np.array([statistic(*(column[rows] for column in columns)) for rows in draws(columns, groups, resamples, seed)])
    return _percentiles(values, resamples)


def paired_difference(
    statistic: Statistic,
    shared: Sequence[np.ndarray],
    a: np.ndarray,
    b: np.ndarray,
    groups: Groups = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """statistic(*shared, a) - statistic(*shared, b), both on the same drawn samples, so that hard samples cancel out."""
    columns = (*shared, a, b)
    n = same_length(**{f"column {k}": column for k, column in enumerate(columns)})

    def difference(rows: np.ndarray | slice) -> float:
        common = [column[rows] for column in shared]
        return statistic(*common, a[rows]) - statistic(*common, b[rows])

    values = np.array([difference(rows) for rows in draws(columns, groups, resamples, seed)])
    interval = _percentiles(values, resamples)
    defined = values[np.isfinite(values)]
    better = float((defined > 0).mean() + (defined == 0).mean() / 2) if interval else None
    value = difference(slice(None)) if n else float("nan")
    return Difference(float(value) if np.isfinite(value) else None, interval, better, n)


def draws(columns: Sequence[np.ndarray], groups: Groups, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Row indices of each resample; none with fewer than two groups. The order of groups does not matter, only their names."""
    n = len(columns[0])
    if groups is not None and len(groups) != n:
        raise ScoringError(f"one group for each sample is needed, got {len(groups)} for {n}")
    rng = np.random.default_rng(seed)
    if groups is None:
        yield from (rng.integers(n, size=n) for _ in range(resamples if n > 1 else 0))
        return
    _, place = np.unique([str(group) for group in groups], return_inverse=True)
    members = [np.flatnonzero(place == k) for k in range(place.max(initial=-1) + 1)]
    for _ in range(resamples if len(members) > 1 else 0):
        yield np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])


def _percentiles(values: np.ndarray, resamples: int) -> tuple[float, float] | None:
    defined = values[np.isfinite(values)]
    if not resamples or len(defined) < _LEAST_DEFINED * resamples:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
