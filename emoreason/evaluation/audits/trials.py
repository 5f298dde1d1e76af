"""Trials: what a judge says of a sample as it is, and of the same sample after one thing was changed.

An audit asks two questions of each condition: does the answer change (so the judge uses what was changed), and does it get worse.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.tasks import EvalContext
from emoreason.inference.judges import Judge
from emoreason.scoring.metrics.classification import accuracy, encode, on_rows, uar
from emoreason.scoring.metrics.intervals import Difference, paired_difference
from emoreason.scoring.metrics.score import number_or_none


@dataclass(frozen=True)
class Condition:
    """One change. `series`: conditions of one series are levels of the same change, in order; `level` is how it is written."""

    name: str
    title: str
    series: str
    level: str = ""


@dataclass(frozen=True)
class Trial:
    """One sample under one condition; `intact` and `said` are labels of the set, None = no answer.

    moved: 0..1, how much probability changed place (total variation); None where one of the two has no probabilities.
    facts: shares that the audit adds, such as whether a face was still found.
    """

    id: str
    group: str
    condition: str
    truth: str
    intact: str | None
    said: str | None
    moved: float | None
    facts: Mapping[str, bool] = field(default_factory=dict)

    def to_dict(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class ConditionResult:
    """All trials of a condition. `worse`: accuracy under it minus accuracy intact, on the same samples."""

    condition: Condition
    n: int
    intact: float | None
    accuracy: float | None
    uar: float | None
    worse: Difference
    changed: float | None
    moved: float | None
    facts: Mapping[str, float]

    def to_dict(self) -> dict:
        return asdict(self)


Changed = tuple[Judge, SampleInput] | None  # None: the sample has nothing that this condition could change
Change = Callable[[Judge, SampleInput], Changed]
Facts = Callable[
    [SampleInput, Judge, SampleInput, str | None], Mapping[str, bool]
]  # as shown, who judged what instead, the label


@dataclass(frozen=True)
class Plan:
    """What an audit does: its conditions, those of one sample with what they change, and what else is noted of an answer."""

    conditions: Sequence[Condition]
    changes: Callable[[SampleInput], Sequence[tuple[Condition, Change]]]
    facts: Facts = lambda one, judge, changed, label: {}


def trials(context: EvalContext, plan: Plan, one: SampleInput, failures: list[str]) -> Iterator[Trial]:
    """Every condition that applies to the sample. What fails is one line of `failures`, and costs nothing else."""
    sample = one.sample
    with _listing(sample.id, failures):
        intact, p = answer(context, one)
        for condition, change in plan.changes(one):
            with _listing(f"{sample.id}, {condition.name}", failures):
                changed = change(context.judge, one)
                if changed is None:
                    continue
                judge, other = changed
                now, changed_p = answer(replace(context, judge=judge), other)
                seen = other.observation
                face = {} if seen is None or not seen.source.has_video else {"face": bool(seen.people)}
                facts = face | dict(plan.facts(one, judge, other, now))
                names = sample.id, sample.group, condition.name, sample.truth["label"]
                yield Trial(*names, intact, now, _moved(p, changed_p), facts)


def answer(context: EvalContext, one: SampleInput) -> tuple[str | None, Mapping[str, float] | None]:
    """Label and probabilities as a suite would count them; both None where the judge has no answer."""
    prediction = context.predictions([one])[0].prediction or {}
    return prediction.get("label"), prediction.get("probabilities")


@contextmanager
def _listing(what: str, failures: list[str]) -> Iterator[None]:
    """What is true of every sample goes on; anything else becomes a line."""
    try:
        yield
    except (AssetError, EnvironmentProblem):
        raise
    except (EmoReasonError, OSError) as error:
        failures.append(f"{what}: {error}")


def _moved(before: Mapping[str, float] | None, now: Mapping[str, float] | None) -> float | None:
    if before is None or now is None:
        return None
    return round(sum(abs(before[label] - now[label]) for label in before) / 2, 4)


def outcomes(conditions: Sequence[Condition], rows: Sequence[Trial], labels: Sequence[str]) -> list[ConditionResult]:
    """One for each condition that applied to any sample, in their order."""
    by_name = {condition.name: [row for row in rows if row.condition == condition.name] for condition in conditions}
    return [_outcome(condition, by_name[condition.name], labels) for condition in conditions if by_name[condition.name]]


def _outcome(condition: Condition, rows: Sequence[Trial], labels: Sequence[str]) -> ConditionResult:
    truth, now = encode([row.truth for row in rows], [row.said for row in rows], labels)
    _, before = encode([row.truth for row in rows], [row.intact for row in rows], labels)
    right, groups = on_rows(accuracy, len(labels)), [row.group for row in rows]
    moved = [row.moved for row in rows if row.moved is not None]
    names = dict.fromkeys(name for row in rows for name in row.facts)
    return ConditionResult(
        condition=condition,
        n=len(rows),
        intact=number_or_none(right(truth, before)),
        accuracy=number_or_none(right(truth, now)),
        uar=number_or_none(on_rows(uar, len(labels))(truth, now)),
        worse=paired_difference(right, (truth,), now, before, groups),
        changed=float(np.mean([row.intact != row.said for row in rows])),
        moved=float(np.mean(moved)) if moved else None,
        facts={name: float(np.mean([row.facts[name] for row in rows if name in row.facts])) for name in names},
    )
