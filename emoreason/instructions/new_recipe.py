"""A recipe for one's own clips, checked against them, and written only when all of it can be used.

A group (speaker, film) is never split. Where no split is given, a fold of the groups' hashes is kept for validation: the first
one, of sizes near a fifth, that leaves every label on both sides. It stands in the recipe, so it stays when clips are added.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from emoreason.errors import ConfigError, EnvironmentProblem
from emoreason.instructions.own_samples import SPLITS, Own, find_own, listed
from emoreason.instructions.recipe import Recipe
from emoreason.instructions.validate import Loaded, Progress, load
from emoreason.labels.emotions import canonical
from emoreason.model.prompt import sanitize

FOLDS = (5, 4, 6, 3, 7, 8, 10, 2)  # tried in this order
_NOT_IN_LABELS = re.compile(r"[;,=]")  # they part labels in prompts and answers
_LAYOUTS = {
    "files": "A folder per class, or CLASS/GROUP/FILE; below train/, valid/ and test/ where there are splits.",
    "table": "A table with a header and a line per sample; paths are relative to its folder.",
}


@dataclass(frozen=True)
class Draft:
    """A recipe that was not yet checked against its media. `notes`: what was left aside."""

    values: dict[str, Any]
    root: Path
    notes: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        return Recipe.model_validate(self.values)

    @property
    def text(self) -> str:
        return yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True, width=130)


def draft(source: Path, name: str | None = None, cropped: bool = False) -> Draft:
    """Of what `find_own` reads at `source`. `cropped`: the pictures are faces and no more. Raises ConfigError saying what to
    change."""
    name = name or re.sub(r"\W+", "_", source.resolve().stem.lower(), flags=re.ASCII).strip("_")
    if not re.fullmatch("[a-z0-9_]+", name):
        raise ConfigError(f"'{name}' cannot name a data set: give it a name of small letters, digits and _")
    own = find_own(source)
    labels, kind, root = own.labels, own.kind, source if source.is_dir() else source.parent
    _check_labels(own)
    values = {
        "name": name, "title": f"Own data: {name}", "source": "own data", "licence": "not stated", "terms": "not stated",
        "layout": _LAYOUTS[own.reader["kind"]], "folder": str(root.resolve()),
        "faces": "none" if kind == "audio" else "cropped" if cropped else "full",
        "reader": own.reader, "fields": own.fields | {kind: "{path}"}, "splits": _splits(own),
    }  # fmt: skip
    if labels:
        values["scheme"] = {"name": name, "labels": labels, "crosswalk": {label: canonical(label) for label in labels}}
    return Draft({**values, "metric": "macro F1"}, root, tuple(own.notes))


def checked(made: Draft, progress: Progress | None = None) -> Loaded:
    """Every sample read and every medium opened. Raises ConfigError where anything cannot be used as it is."""
    loaded = load(made.recipe, made.root, progress)
    report = loaded.report
    if report.failures:
        shown = [f"{failure.place}: {failure.reason}" for failure in report.failures]
        raise ConfigError(listed(f"{made.root}: {len(shown)} samples cannot be used; repair them or leave them out", shown))
    if report.errors:
        raise ConfigError(f"{made.root}: {'; '.join(report.errors)}")
    return loaded


def write(made: Draft, page: str, out: Path) -> tuple[Path, Path]:
    """NAME.yaml and NAME.html in `out`, both or none. Raises ConfigError when the recipe is there already."""
    recipe, preview = (out / f"{made.values['name']}{suffix}" for suffix in (".yaml", ".html"))
    if recipe.exists():
        raise ConfigError(f"{recipe} is there already: remove it, or choose another name")
    partial = [(path.with_name(f".{path.name}.partial"), path) for path in (preview, recipe)]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for (scratch, _), text in zip(partial, (page, made.text), strict=True):
            scratch.write_text(text, encoding="utf-8")
        for scratch, path in partial:
            os.replace(scratch, path)
    except OSError as error:
        raise EnvironmentProblem(f"{out}: {error.strerror}; name a folder that can be written to") from error
    finally:
        for scratch, _ in partial:
            scratch.unlink(missing_ok=True)
    return recipe, preview


def chosen_fold(own: Own) -> tuple[int, int]:
    """(folds, the fold kept for validation). Raises ConfigError when no fold leaves every label on both sides."""
    labels = set(own.labels)
    for folds in FOLDS:
        by_fold: dict[int, set[str]] = {}
        for sample in own.samples:
            by_fold.setdefault(_fold(sample.group, folds), set()).update(sample.labels)
        for fold in sorted(by_fold):
            rest = set().union(*(there for other, there in by_fold.items() if other != fold))
            if len(by_fold) > 1 and by_fold[fold] >= labels and rest >= labels:
                return folds, fold
    groups = {label: {sample.group for sample in own.samples if label in sample.labels} for label in sorted(labels)}
    alone = [label for label, some in groups.items() if len(some) < 2]
    why = f"'{alone[0]}' occurs in one group only" if alone else "there are too few groups"
    raise ConfigError(f"{own.source}: no split by groups has each label in train and valid: {why}; add samples or a split column")


def _fold(group: str, folds: int) -> int:
    """As recipes count them (`Splits.folds`)."""
    return int(sha256(group.encode()).hexdigest(), 16) % folds


def _splits(own: Own) -> dict[str, Any]:
    if not own.has_splits:
        folds, fold = chosen_fold(own)
        return {"of": own.fields["group"], "folds": folds, "members": {"valid": [str(fold)]}, "rest": "train"}
    for split in ("train", "valid"):
        some = [sample for sample in own.samples if sample.split == split]
        if not some:
            raise ConfigError(f"{own.source}: no sample is in {split}")
        if absent := [label for label in own.labels if not any(label in sample.labels for sample in some)]:
            raise ConfigError(f"{own.source}: no sample of {_quoted(absent)} is in {split}: each label needs some there")
    return {"members": SPLITS}


def _check_labels(own: Own) -> None:
    labels = own.labels
    for label in labels:
        if sanitize(label) != label or _NOT_IN_LABELS.search(label):
            parts = [part.strip() for part in re.split(r"[,|/]", label)]
            several = len(parts) > 1 and any(part in labels for part in parts)
            hint = "separate several labels with ;" if several else "use words without brackets, quotation marks and , ; ="
            raise ConfigError(f"{own.source}: label '{label}': {hint}")
    folded = Counter(label.casefold() for label in labels)
    if twice := [label for label in labels if folded[label.casefold()] > 1]:
        raise ConfigError(f"{own.source}: the labels {_quoted(twice)} differ in small and capital letters only: write one")
    counts = Counter(label for sample in own.samples for label in sample.labels)
    if single := [label for label in labels if counts[label] < 2]:
        raise ConfigError(f"{own.source}: only one sample of {_quoted(single)}: a label needs one to learn from and one to check")
    if len(labels) == 1:
        raise ConfigError(f"{own.source}: every label is '{labels[0]}': there is nothing to tell apart")


def _quoted(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)
