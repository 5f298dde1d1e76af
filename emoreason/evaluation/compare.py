"""Two results of one suite held against each other: samples paired by id, differences with a paired bootstrap by group."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from emoreason.errors import ConfigError
from emoreason.evaluation.explanations import REPORTED
from emoreason.evaluation.results import Result, Row, read_result
from emoreason.evaluation.scores import unit_tables
from emoreason.evaluation.suite import Suite
from emoreason.instructions.label_tasks import SENTIMENTS
from emoreason.scoring.metrics.action_units import mean_f1, sample_f1
from emoreason.scoring.metrics.affect import ccc, farthest
from emoreason.scoring.metrics.classification import accuracy, confusion, encode, macro_f1, uar, weighted_f1
from emoreason.scoring.metrics.intervals import FEW_GROUPS, Difference, paired_difference

Table = tuple[tuple[np.ndarray, ...], np.ndarray, dict[str, Callable[..., float]]]  # shared columns, answers, metric -> statistic
_CLASSES = {"war": accuracy, "uar": uar, "macro_f1": macro_f1, "weighted_f1": weighted_f1}


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
    """Raises ConfigError where the folders are no results, of different suites or labels, or have no sample in common."""
    first, second = read_result(a), read_result(b)
    suite = Suite.model_validate(first.run["suite"])
    if first.run["suite"] != second.run["suite"]:
        other = second.run["suite"].get("name")
        reason = "the suite was changed in between" if other == suite.name else f"'{suite.name}' and '{other}'"
        raise ConfigError(f"{a} and {b} are results of different suites ({reason}); figures compare within one suite only")
    pairs = _paired(first, second)
    rows_a, rows_b = [one for one, _ in pairs], [one for _, one in pairs]
    groups = [row.group for row in rows_a]
    grouped = groups if 1 < len(set(groups)) < len(groups) else None
    labels = tuple(first.run["labels"])
    shared, said_a, statistics = _table(suite, labels, rows_a)
    said_b = _table(suite, labels, rows_b)[1]
    differences = {
        metric: paired_difference(statistic, shared, said_a, said_b, grouped, resamples)
        for metric, statistic in statistics.items()
    }
    names = (_name(first), _name(second))
    notes = _notes(first, second, len(pairs)) + _few(len(set(grouped or range(len(pairs)))))
    return Comparison(suite.name, *names, len(pairs), differences, tuple(notes))


def _paired(first: Result, second: Result) -> list[tuple[Row, Row]]:
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


def _few(drawn: int) -> list[str]:
    return [f"intervals are drawn from {drawn} groups and too narrow"] if drawn < FEW_GROUPS else []


def _name(result: Result) -> str:
    return f"{result.run['judge']['name']} ({result.folder})"


def _table(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    return _OF[suite.kind](suite, labels, rows)


def _emotion(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    said = [row.prediction["label"] if row.prediction else None for row in rows]
    truth, answers = encode([row.truth["label"] for row in rows], said, labels)
    return (truth,), answers, {name: _of_labels(value, len(labels)) for name, value in _CLASSES.items()}


def _of_labels(value: Callable[[np.ndarray], float], classes: int) -> Callable[..., float]:
    return lambda truth, said: value(confusion(truth, said, classes))


def _units(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    truth, said = unit_tables(suite, rows)
    return (truth,), said, {"mean_f1": mean_f1, "sample_f1": sample_f1}


def _sentiment(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    if all(row.truth["label"] for row in rows):
        return _emotion(suite, SENTIMENTS, rows)
    truth = np.array([row.truth["score"] for row in rows], dtype=float)
    said = np.array([row.prediction["score"] if row.prediction else np.nan for row in rows], dtype=float)
    return (truth,), farthest(truth, said, -1, 1), {"mae": lambda truth, said: float(np.abs(truth - said).mean())}


def _affect(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    names = ("valence", "arousal")
    truth = np.array([[row.truth[name] for name in names] for row in rows])  # [N, 2]
    said = np.array([[row.prediction[name] if row.prediction else np.nan for name in names] for row in rows], dtype=float)
    said = farthest(truth, said, -1, 1)
    return (truth,), said, {
        "valence_ccc": lambda truth, said: ccc(truth[:, 0], said[:, 0]),
        "arousal_ccc": lambda truth, said: ccc(truth[:, 1], said[:, 1]),
    }  # fmt: skip


def _sets(key: str) -> Callable[[Suite, tuple[str, ...], Sequence[Row]], Table]:
    """F1 of sets, as they are written: no wheel. [N, 3] found, named, true."""

    def table(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
        return (), np.array([_counts(row, key) for row in rows]), {f"{key}_f1": _micro_f1}

    return table


def _counts(row: Row, key: str) -> tuple[int, int, int]:
    truth, said = ({_item(item) for item in (content or {}).get(key, ())} for content in (row.truth, row.prediction))
    return len(truth & said), len(said), len(truth)


def _item(item: str | list) -> str | tuple:
    return tuple(item) if isinstance(item, list) else item.lower()


def _micro_f1(counts: np.ndarray) -> float:
    found, named, true = counts.sum(0)
    return float(2 * found / (named + true)) if named + true else float("nan")


def _reasoning(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    """[N, M, 2] numerators and denominators of every metric."""
    counts = [(row.prediction or {}).get("counts", {"claims_per_text": (0, 1)}) for row in rows]
    table = np.array([[count.get(metric, (0, 0)) for metric in REPORTED] for count in counts], dtype=float)
    used = {metric: place for place, metric in enumerate(REPORTED) if table[:, place, 1].any()}
    return (), table, {metric: _ratio_of(place) for metric, place in used.items()}


def _ratio_of(place: int) -> Callable[..., float]:
    def ratio(table: np.ndarray) -> float:
        above, below = table[:, place].sum(0)
        return float(above / below) if below else float("nan")

    return ratio


def _hallucination(suite: Suite, labels: tuple[str, ...], rows: Sequence[Row]) -> Table:
    right = np.array([row.prediction is not None and row.prediction["answer"] == row.truth["answer"] for row in rows])
    return (), right.astype(float), {"right": lambda right: float(right.mean())}


_OF = {
    "emotion": _emotion, "action_units": _units, "sentiment": _sentiment, "valence_arousal": _affect,
    "open_vocabulary": _sets("words"), "reasoning": _reasoning, "causes": _sets("pairs"), "hallucination": _hallucination,
}  # fmt: skip
