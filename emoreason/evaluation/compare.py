"""Two results of one suite held against each other: samples paired by id, differences with a paired bootstrap by group."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.evaluation.label_mapping import LabelMapping
from emoreason.evaluation.results import Result, SampleResult, drawn_groups, read_result
from emoreason.evaluation.suite import Suite
from emoreason.evaluation.tasks import make_task
from emoreason.scoring.metrics.intervals import FEW_GROUPS, Difference, paired_difference


@dataclass(frozen=True)
class Comparison:
    """metric -> a minus b on the `n` samples that both have. `notes`: what to know before trusting it."""

    suite: str
    a: str
    b: str
    n: int
    differences: Mapping[str, Difference]
    notes: tuple[str, ...]

    def to_dict(self) -> dict:
        return asdict(self)


def compare(a: Path, b: Path, resamples: int = 1000) -> Comparison:
    """Raises ConfigError where the folders are not results, are of different suites or labels, or have no sample in common."""
    first, second = read_result(a), read_result(b)
    suite = Suite.model_validate(first.run["suite"])
    if first.run["suite"] != second.run["suite"]:
        other = second.run["suite"].get("name")
        reason = "the suite was changed in between" if other == suite.name else f"'{suite.name}' and '{other}'"
        raise ConfigError(f"{a} and {b} are results of different suites ({reason}); figures compare within one suite only")
    pairs = _paired(first, second)
    rows_a, rows_b = [one for one, _ in pairs], [one for _, one in pairs]
    groups = drawn_groups(rows_a)
    task = make_task(suite, LabelMapping(tuple(first.run["labels"]), {}, {}))
    shared, answers, statistics = task.pair(rows_a)
    columns = shared, answers, task.pair(rows_b).answers
    differences = {name: paired_difference(value, *columns, groups, resamples) for name, value in statistics.items()}
    notes = _notes(first, second, len(pairs))
    if (drawn := len(set(groups or range(len(pairs))))) < FEW_GROUPS:
        notes.append(f"intervals are drawn from {drawn} groups and too narrow")
    return Comparison(suite.name, _name(first), _name(second), len(pairs), differences, tuple(notes))


def _paired(first: Result, second: Result) -> list[tuple[SampleResult, SampleResult]]:
    other = {row.id: row for row in second.rows}
    pairs = [(row, other[row.id]) for row in first.rows if row.id in other]
    if not pairs:
        raise ConfigError(f"{first.folder} and {second.folder} have no sample in common")
    if changed := next((a.id for a, b in pairs if a.truth != b.truth), None):
        raise ConfigError(f"the label of sample '{changed}' differs between {first.folder} and {second.folder}; evaluate again")
    return pairs


def _notes(first: Result, second: Result, n: int) -> list[str]:
    notes = []
    for result in (first, second):
        if len(result.rows) > n:
            notes.append(f"{len(result.rows) - n} samples that only {result.folder} has are left out")
        if failed := sum(row.status == "failed" for row in result.rows):
            notes.append(f"{failed} samples failed in {result.folder} and count as wrong")
    return notes


def _name(result: Result) -> str:
    return f"{result.run['judge']['name']} ({result.folder})"
