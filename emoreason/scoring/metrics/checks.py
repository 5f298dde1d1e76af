"""What can be scored: truths and answers that belong together."""

from collections.abc import Hashable, Iterable, Mapping, Sequence, Sized
from typing import TypeVar

from emoreason.errors import EmoReasonError

T = TypeVar("T")
Id = TypeVar("Id", bound=Hashable)


class ScoringError(EmoReasonError, ValueError):
    """Truths and answers do not fit together."""


def by_id(rows: Iterable[tuple[Id, T]], what: str) -> dict[Id, T]:
    """A mapping of (id, value) rows. Raises ScoringError at an id that occurs twice."""
    found: dict[Id, T] = {}
    for key, value in rows:
        if key in found:
            raise ScoringError(f"{what}: '{key}' occurs twice; keep one row for each sample")
        found[key] = value
    return found


def align(truths: Mapping[Id, object], answers: Mapping[Id, T]) -> list[T | None]:
    """One answer for each truth, in the order of `truths`; None where there is none, which every metric counts as wrong.

    Raises ScoringError where an answer belongs to a sample that is not scored: it is from another split or another suite.
    """
    foreign = [key for key in answers if key not in truths]
    if foreign:
        raise ScoringError(f"{len(foreign)} answers are for other samples (first: '{foreign[0]}'); score them on their own suite")
    return [answers.get(key) for key in truths]


def same_length(**columns: Sized) -> int:
    """The common length. Raises ScoringError where the columns differ in length."""
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ScoringError(f"one value for each sample is needed, got {', '.join(f'{n} {name}' for name, n in lengths.items())}")
    return next(iter(lengths.values()))


def index_of(labels: Sequence[str]) -> dict[str, int]:
    """Place of each label. Raises ScoringError for an empty or repeating list."""
    if not labels or len(set(labels)) < len(labels):
        raise ScoringError(f"labels must be different and at least one, got {list(labels)}")
    return {label: place for place, label in enumerate(labels)}
