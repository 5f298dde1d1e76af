"""One score: the value, how many samples it rests on, how sure it is, and what went unanswered."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from emoreason.scoring.metrics.checks import same_length
from emoreason.scoring.metrics.intervals import FEW_GROUPS, Groups, Statistic, bootstrap


@dataclass(frozen=True)
class Failures:
    """Samples without a usable answer, by reason, as the caller counted them. Each of them is scored as wrong."""

    unparsable: int = 0
    no_face: int = 0
    no_speech: int = 0


@dataclass(frozen=True)
class Protocol:
    """What is compared and how its uncertainty is reported. `name`: data, split and reading rule, e.g. "ferplus/test, 8 labels".

    groups: for each sample, what is drawn together (subject, speaker, dialogue); None = every sample is its own group.
    note: what a reader must know before trusting the intervals.
    """

    name: str = ""
    groups: Groups = None
    failures: Failures = field(default_factory=Failures)
    resamples: int = 1000
    seed: int = 0
    note: str = ""


PLAIN = Protocol()


@dataclass(frozen=True)
class Score:
    """`value` in `unit`, None where it is not defined. `unanswered`: of the n samples, those without a valid answer (all wrong).

    interval: 95 %, by group. parts: what the value is made of (per class, per action unit, precision and recall). note: why the
    interval should not be trusted; empty where nothing is known against it.
    """

    metric: str
    value: float | None
    n: int
    unit: str = "ratio"
    interval: tuple[float, float] | None = None
    unanswered: int = 0
    failures: Failures = field(default_factory=Failures)
    protocol: str = ""
    parts: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""

    @property
    def id(self) -> str:
        """Metric and protocol: two scores compare only where this is the same."""
        return f"{self.metric}@{self.protocol}" if self.protocol else self.metric

    def to_dict(self) -> dict:
        """Plain JSON: no NaN, tuples as lists."""
        return {"id": self.id} | asdict(self) | {"interval": self.interval and list(self.interval), "parts": dict(self.parts)}


def measure(
    metric: str,
    statistic: Statistic,
    columns: Sequence[np.ndarray],
    protocol: Protocol,
    unit: str = "ratio",
    unanswered: int = 0,
    parts: Mapping[str, float] | None = None,
    counted: np.ndarray | None = None,
) -> Score:
    """`statistic(*columns)` as a score with its interval. Columns have one row for each sample; an empty suite has no value.

    counted [N] bool: the samples that this metric is defined on; the others are left out of the value and of n.
    """
    groups: Groups = protocol.groups
    if counted is not None:
        columns = [column[counted] for column in columns]
        groups = None if groups is None else [group for group, counts in zip(groups, counted, strict=True) if counts]
    n = same_length(**{f"column {k}": column for k, column in enumerate(columns)})
    value = statistic(*columns) if n else float("nan")
    interval = bootstrap(statistic, columns, groups, protocol.resamples, protocol.seed)
    clean = {name: number_or_none(part) for name, part in (parts or {}).items()}
    drawn = n if groups is None else len(set(groups))  # percentiles of few groups cannot reach as far as other subjects would
    few = f"the interval is drawn from {drawn} groups and too narrow" if drawn < FEW_GROUPS else ""
    note = "; ".join(note for note in (protocol.note, few) if note) if interval else ""
    return Score(metric, number_or_none(value), n, unit, interval, unanswered, protocol.failures, protocol.name, clean, note)


def renamed(scores: Sequence[Score], name: str) -> list[Score]:
    """The same scores with `{}` of `name` filled by their metric, for figures on a scale or in classes of their own."""
    return [replace(score, metric=name.format(score.metric)) for score in scores]


def number_or_none(value: float) -> float | None:
    """NaN is not a number that anybody measured."""
    return float(value) if np.isfinite(value) else None
