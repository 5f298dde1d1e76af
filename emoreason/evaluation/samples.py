"""Samples of a suite: which records count, why others were left out, and where the files are."""

import csv
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.evaluation.inputs import SampleInput, load_input
from emoreason.evaluation.label_mapping import LabelMapping, label_mapping
from emoreason.evaluation.sample import EvalSample
from emoreason.evaluation.suite import Joined, Suite
from emoreason.evaluation.suite_file import load_folds
from emoreason.evaluation.tasks import EvaluationTask, LeftOut, make_task
from emoreason.inference.judges import Judge
from emoreason.instructions.leaks import contents, hash_media
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.instructions.validate import data_root
from emoreason.scoring.metrics.wheels import listed

Progress = Callable[[str, float, float | None], None]


@dataclass(frozen=True)
class Folders:
    """Where data lie: what was given by name, else below `data`."""

    given: Mapping[str, Path] = field(default_factory=dict)
    data: str | None = None

    def of(self, recipe: Recipe) -> Path:
        return data_root(recipe, dict(self.given), self.data)

    def named(self, folder: str) -> Path:
        """A folder that is not a data set: tables, wheels. Raises ConfigError where it is not."""
        if folder not in self.given and not self.data:
            raise ConfigError(f"where is {folder}? say --root {folder}=DIR, or set EMOREASON_DATA to the folder that holds it")
        path = self.given[folder] if folder in self.given else Path(self.data) / folder
        if not path.is_dir():
            raise ConfigError(f"{path}: no such folder; say where it is with --root {folder}=DIR")
        return path


@dataclass(frozen=True)
class SuiteSamples:
    """What a suite comes to on the local data. `left_out`: reason -> records; `unread`: files or rows that are broken."""

    task: EvaluationTask
    recipe: Recipe
    root: Path
    samples: tuple[EvalSample, ...]
    left_out: Mapping[str, int]
    unread: tuple[str, ...]

    @property
    def suite(self) -> Suite:
        return self.task.suite

    @property
    def mapping(self) -> LabelMapping:
        return self.task.mapping

    def input_of(self, sample: EvalSample, store: Path, judge: Judge) -> SampleInput:
        """What the judge is shown of a sample. Raises as `load_input`."""
        return load_input(sample, self.suite, self.root, store, judge)


def load_samples(
    suite: Suite, path: Path, folders: Folders, limit: int | None = None, progress: Progress | None = None
) -> SuiteSamples:
    """`path`: of the suite file; fold lists lie beside it. Raises ConfigError when nothing is left or an id occurs twice.

    `limit` keeps so many records, evenly spread over all of them, so that a small try is not a single class or speaker.
    """
    recipe = load_recipe(suite.recipe)
    root, wheels = folders.of(recipe), folders.named(suite.wheels) if suite.wheels else None
    records, unread = _read(recipe, root, progress)
    left_out: Counter[str] = Counter()
    chosen, fold_of = _chosen(suite, path, records, left_out)
    if suite.join:
        chosen = _joined(chosen, suite.join, folders.named(suite.join.folder), left_out)
    if suite.subset.duplicates == "drop":
        chosen = _without_duplicates(chosen, records, root, left_out, progress)
    task = make_task(suite, label_mapping(recipe, suite.merge, suite.subset.labels), wheels)
    samples = []
    for record in chosen:
        try:
            truths = task.truths(record)
        except LeftOut as reason:
            left_out[str(reason)] += 1
            continue
        fold = fold_of.get(record.id)
        samples += [EvalSample(record.id + ending, record.group, fold, record, truth) for ending, truth in truths.items()]
    whole, samples = len(samples), _spread(samples, suite.subset.most)
    left_out["beyond the samples that the suite takes"] = whole - len(samples)
    if not samples:
        why = "; ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "none in this split"
        raise ConfigError(f"suite '{suite.name}': no sample is left of {len(records)} records in {root} ({why})")
    doubled = [name for name, count in Counter(sample.id for sample in samples).items() if count > 1]
    if doubled:
        raise ConfigError(f"suite '{suite.name}': id '{doubled[0]}' occurs twice; ids must tell samples apart")
    reasons = {reason: count for reason, count in left_out.items() if count}
    return SuiteSamples(task, recipe, root, _spread(samples, limit), reasons, unread)


def _read(recipe: Recipe, root: Path, progress: Progress | None) -> tuple[list[Record], tuple[str, ...]]:
    records, unread = [], []
    for item in read(recipe, root, progress):
        if isinstance(item, Failure):
            unread.append(f"{item.place}: {item.reason}")
        else:
            records.append(item)
    return records, tuple(unread)


def _chosen(suite: Suite, path: Path, records: list[Record], left_out: Counter[str]) -> tuple[list[Record], Mapping[str, int]]:
    """Records of the split, or those whose ids the fold lists name."""
    if suite.folds is None:
        return [record for record in records if record.split == suite.split], {}
    fold_of = load_folds(suite, path)
    chosen = [record for record in records if record.id in fold_of]
    left_out["listed in a fold, but absent from the data"] = len(fold_of) - len(chosen)
    return chosen, fold_of


def _joined(records: list[Record], joined: Joined, folder: Path, left_out: Counter[str]) -> list[Record]:
    """With the open labels of another table; records that it does not list are left out."""
    file = folder / joined.table
    try:
        with open(file, encoding="utf-8-sig", newline="") as lines:
            rows = list(csv.DictReader(lines))
        words = {row[joined.key]: row[joined.open_labels] for row in rows}
    except (OSError, KeyError) as error:
        raise ConfigError(f"{file}: cannot be read with the columns {joined.key}, {joined.open_labels} ({error})") from error
    if len(words) < len(rows):
        raise ConfigError(f"{file}: an id occurs in two rows of column '{joined.key}'")
    found = [record for record in records if record.id in words]
    left_out["not in the table of labels"] = len(records) - len(found)
    return [record.model_copy(update={"open_labels": listed(words[record.id])}) for record in found]


def _without_duplicates(
    chosen: list[Record], records: list[Record], root: Path, left_out: Counter[str], progress: Progress | None
) -> list[Record]:
    """Only records none of whose media is byte for byte that of a record in another split."""
    hashes = hash_media(records, root, progress)
    splits: dict[str, set[str]] = {}
    for record in records:
        for content in contents(record, hashes):
            splits.setdefault(content, set()).add(record.split)
    kept = [record for record in chosen if all(splits[content] == {record.split} for content in contents(record, hashes))]
    left_out["byte for byte in another split, too"] = len(chosen) - len(kept)
    return kept


def _spread(samples: Sequence[EvalSample], limit: int | None) -> tuple[EvalSample, ...]:
    """Samples of `limit` records; those of one record stay together."""
    records = list(dict.fromkeys(sample.record.id for sample in samples))
    if limit is None or limit >= len(records):
        return tuple(samples)
    chosen = {records[i * len(records) // limit] for i in range(limit)}
    return tuple(sample for sample in samples if sample.record.id in chosen)
