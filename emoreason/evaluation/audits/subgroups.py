"""Gaps between groups of people, where the user says who belongs to which: nothing here or in the product guesses it."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from emoreason.errors import ConfigError
from emoreason.evaluation.results import SampleResult
from emoreason.scoring.metrics.classification import accuracy, confusion, encode, on_rows, uar
from emoreason.scoring.metrics.score import Protocol, Score, measure, number_or_none

FEW = 30  # samples below which a group's figure says next to nothing


@dataclass(frozen=True)
class Group:
    """One group's figures; `few` where they rest on less than FEW samples."""

    name: str
    accuracy: Score
    uar: Score
    few: bool


@dataclass(frozen=True)
class Gaps:
    """Figures by group, and the largest difference in accuracy and recall between any two, with its interval.

    A largest difference is never negative and grows with the number of groups: `expected` is what as many groups of these sizes
    show when people are dealt out to them at random.
    """

    attribute: str
    groups: tuple[Group, ...]
    accuracy_gap: Score
    uar_gap: Score
    expected: Mapping[str, float | None]
    unlabelled: int

    def to_dict(self) -> dict:
        return asdict(self)


def read_groups(file: Path) -> dict[str, dict[str, str]]:
    """Attribute -> id (of a sample, or of a subject) -> group, from a table with the column `id` and one per attribute.

    Raises ConfigError naming what is missing or given twice.
    """
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            names, rows = [name for name in reader.fieldnames or () if name != "id"], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file}: cannot be read as a table ({error})") from error
    if not rows or not names or any(row.get("id") is None for row in rows):
        raise ConfigError(f"{file}: needs a column `id`, one or more columns of groups and at least one row")
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for row in rows:
        for name in names:
            if row["id"] in found[name]:
                raise ConfigError(f"{file}: id '{row['id']}' has two rows; keep one")
            if row[name]:
                found[name][row["id"]] = row[name]
    return found


def gaps(
    attribute: str, rows: Sequence[SampleResult], group_of: Mapping[str, str], labels: Sequence[str], draws: int = 200
) -> Gaps:
    """Raises ConfigError when fewer than two groups have samples."""
    known = [(row, group_of.get(row.id, group_of.get(row.group))) for row in rows]
    counted = [(row, group) for row, group in known if group is not None]
    names = sorted({group for _, group in counted})
    if len(names) < 2:
        raise ConfigError(f"'{attribute}': {len(names)} groups have samples, a gap needs two; are the ids those of this suite?")
    truth, now = encode([row.truth["label"] for row, _ in counted], [row.get("label") for row, _ in counted], labels)
    place = np.array([names.index(group) for _, group in counted])
    people = np.array([row.group for row, _ in counted])
    groups = [_group(name, truth[place == k], now[place == k], people[place == k], len(labels)) for k, name in enumerate(names)]
    largest = {name: _gap(of, len(labels), len(names)) for name, of in (("accuracy", accuracy), ("uar", uar))}
    protocol = Protocol(attribute, people.tolist())
    found = {name: measure(f"{name}_gap", of, (truth, now, place), protocol) for name, of in largest.items()}
    chance = {name: _by_chance(of, truth, now, place, people, draws) for name, of in largest.items()}
    return Gaps(attribute, tuple(groups), found["accuracy"], found["uar"], chance, len(rows) - len(counted))


def _group(name: str, truth: np.ndarray, now: np.ndarray, people: np.ndarray, classes: int) -> Group:
    scores = [
        measure(metric, on_rows(of, classes), (truth, now), Protocol(name, people.tolist()))
        for metric, of in (("war", accuracy), ("uar", uar))
    ]
    return Group(name, *scores, few=len(truth) < FEW)


def _gap(of, classes: int, groups: int):
    """Largest minus smallest value of the groups that are there."""

    def gap(truth: np.ndarray, now: np.ndarray, place: np.ndarray) -> float:
        values = [of(confusion(truth[place == k], now[place == k], classes)) for k in range(groups) if (place == k).any()]
        return max(values) - min(values) if len(values) > 1 else float("nan")

    return gap


def _by_chance(gap, truth: np.ndarray, now: np.ndarray, place: np.ndarray, people: np.ndarray, draws: int) -> float | None:
    """Mean gap when the groups are dealt out anew: to whole people where each belongs to one group, else to samples."""
    _, first, person = np.unique(people, return_index=True, return_inverse=True)
    rng, whole = np.random.default_rng(0), bool((place[first][person] == place).all())
    dealt = (rng.permutation(place[first])[person] if whole else rng.permutation(place) for _ in range(draws))
    return number_or_none(np.mean([gap(truth, now, one) for one in dealt]))
