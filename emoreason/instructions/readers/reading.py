"""read(): the records of a data set, in a stable order, and beside them what could not become one."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from emoreason.errors import ConfigError
from emoreason.instructions.readers.dialogues import dialogue_rows
from emoreason.instructions.readers.files import file_rows, frame_rows
from emoreason.instructions.readers.filling import record_of
from emoreason.instructions.readers.row import Failure
from emoreason.instructions.readers.tables import json_rows, table_rows
from emoreason.instructions.recipe import Recipe
from emoreason.instructions.record import Record

Progress = Callable[[str, float, float | None], None]
_ROWS = {"files": file_rows, "table": table_rows, "frames": frame_rows, "dialogue": dialogue_rows, "json": json_rows}
_EVERY = 500  # rows between two calls of the hook


def read(recipe: Recipe, root: Path, progress: Progress | None = None) -> Iterator[Record | Failure]:
    """Read the data set below `root`. Raises ConfigError where the folder or its layout is not what the recipe describes."""
    if not root.is_dir():
        raise ConfigError(f"{root}: no such folder for {recipe.name}; say where it is with --root {recipe.name}=DIR")
    ids: dict[str, str] = {}
    for count, row in enumerate(_ROWS[recipe.reader.kind](recipe.reader, root, recipe.name), 1):
        if progress and count % _EVERY == 0:
            progress(f"reading {recipe.name}", count, None)
        if isinstance(row, Failure):
            yield row
            continue
        if any(row.columns.get(column, "").strip() not in kept for column, kept in recipe.only.items()):
            continue
        if any(row.columns.get(column, "").strip() in dropped for column, dropped in recipe.skip.items()):
            continue
        try:
            record = record_of(row, recipe, root)
        except ValueError as error:
            yield Failure(recipe.name, row.place, _line(error))
            continue
        if record.id in ids:
            yield Failure(recipe.name, row.place, f"id '{record.id}' was already used at {ids[record.id]}")
            continue
        ids[record.id] = row.place
        yield record


def _line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in error.errors())
    return str(error)
