"""The data sets that a stage names: where they lie, and their records."""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from emoreason.errors import ConfigError
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.instructions.validate import data_root, load

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


def sha256_of(*values: Any) -> str:
    """Of settings, recipes, records and plain values: what prepared data go by."""
    total = sha256()
    for value in values:
        total.update((value.model_dump_json() if isinstance(value, BaseModel) else repr(value)).encode() + b"\n")
    return total.hexdigest()
