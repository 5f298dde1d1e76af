"""What can be scored: truths and answers that belong together."""

from collections.abc import Sequence, Sized

from emoreason.errors import EmoReasonError


class ScoringError(EmoReasonError, ValueError):
    """Truths and answers do not fit together."""


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
