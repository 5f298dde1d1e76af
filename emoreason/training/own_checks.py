"""What must hold of one's own data before anything is trained on them, said at once rather than after the training."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from emoreason.errors import ConfigError
from emoreason.instructions.own_samples import listed
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.instructions.validate import data_root, load
from emoreason.training.run import Run

SPLITS = ("train", "valid")
LEAST = 2  # clips of a label to learn from: one alone is learned by heart


def check_own(run: Run, roots: Mapping[str, Path], data: str | None, open_media: bool) -> list[str]:
    """Notes on the data set that the run's labels are of. open_media: every file is opened, else only looked for.

    Raises ConfigError naming what to change: samples that cannot be read, labels that training or validation lacks, groups or
    files in several splits.
    """
    if run.labels is None:
        return []
    recipe = load_recipe(run.labels)
    root = data_root(recipe, dict(roots), data)
    loaded = load(recipe, root, open_media=open_media)
    problems = [f"{failure.place}: {failure.reason}" for failure in loaded.report.failures]
    problems += loaded.report.errors or _of_labels(recipe, loaded.records)
    if problems:
        raise ConfigError(listed(f"{root}, read by {run.labels}: {len(problems)} problems", problems, most=6))
    silent = sum(not record.labels for record in loaded.records)
    return [f"{silent} of {len(loaded.records)} samples have no label"] if silent else []


def _of_labels(recipe: Recipe, records: list[Record]) -> list[str]:
    counts = {split: Counter(_words(records, split)) for split in SPLITS}
    out = [f"no labelled sample is in {split}: say in the recipe's `splits` which are" for split in SPLITS if not counts[split]]
    for label in recipe.scheme.offered if not out else ():
        train, valid = (counts[split][label] for split in SPLITS)
        if train < LEAST:
            out.append(f"label '{label}': {train} training samples; add some, or leave the label out of `scheme.labels`")
        elif not valid:
            out.append(f"label '{label}': no sample in valid; move a group there, or leave the label out of `scheme.labels`")
    return out


def _words(records: list[Record], split: str) -> list[str]:
    labels = [label for record in records if record.split == split for label in record.labels]
    return [word for label in labels for word in (label.shares or {label.value: 1.0})]
