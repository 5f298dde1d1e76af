"""The data sets that a stage names: where they lie, and their records."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from emoreason.errors import ConfigError
from emoreason.instructions.answers import label_of
from emoreason.instructions.observe_all import data_store, find
from emoreason.instructions.recipe import SPLITS, Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.instructions.validate import data_root, load

LOOKED_UP = 50  # records whose observation is looked for: each takes some milliseconds
Progress = Callable[[str, float, float | None], None]


def places(names: Sequence[str], roots: Mapping[str, Path], data: str | None) -> dict[str, Path]:
    """Root of each data set, by recipe. Raises ConfigError naming every one that is not there."""
    recipes = {name: load_recipe(name) for name in names}
    found = {name: data_root(recipe, dict(roots), data) for name, recipe in recipes.items()}
    missing = [f"{recipes[name].name} is not at {place}: say --root {recipes[name].name}=DIR"
               for name, place in found.items() if not place.is_dir()]  # fmt: skip
    if missing:
        raise ConfigError("; ".join(missing))
    return found


def load_set(recipe: Recipe, place: Path, progress: Progress | None) -> list[Record]:
    """All splits: the test split says what must not be trained on. Raises ConfigError for a set that does not pass validation."""
    loaded = load(recipe, place, progress, open_media=False)
    if not loaded.report.ok:
        raise ConfigError(f"{recipe.name} at {place}: {'; '.join(loaded.report.errors)}")
    return loaded.records


def outline(name: str, recipe_name: str, place: Path, store: Path) -> list[str]:
    """Lines about a labelled data set, for a look before anything trains: records by split, labels and the emotions that they
    stand for, and whether its media were observed (of some records)."""
    recipe, kept = load_recipe(recipe_name), data_store(store)
    records = load_set(recipe, place, None)
    splits = Counter(record.split for record in records)
    counted = ", ".join(f"{split} {splits[split]}" for split in SPLITS if splits[split])
    lines = [f"{name}: {counted} records of {recipe_name}"]
    if recipe.scheme is not None:
        labels = Counter(label_of(record, recipe.scheme.name) or "no single label" for record in records)
        emotions = {label: recipe.scheme.crosswalk.get(label) or "no emotion" for label in labels}
        told = ", ".join(f"{label} {count} ({emotions[label]})" for label, count in labels.most_common())
        lines.append(f"{name}: labels {told}")
    some = records[:: max(len(records) // LOOKED_UP, 1)]
    if unseen := [record.id for record in some if find(record, place, kept, words=False) is None]:
        remedy = f"run `emoreason data observe {recipe_name} --no-words` first"
        lines.append(f"{name}: {len(unseen)} of {len(some)} looked at were not observed ({unseen[0]}, for one): {remedy}")
    return lines


def sha256_of(*values: Any) -> str:
    """Of settings, recipes, records and plain values: what prepared data go by."""
    total = sha256()
    for value in values:
        total.update((value.model_dump_json() if isinstance(value, BaseModel) else repr(value)).encode() + b"\n")
    return total.hexdigest()
