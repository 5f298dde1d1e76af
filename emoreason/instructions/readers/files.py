"""Rows made from file names and from per-video frame lists."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from emoreason.errors import ConfigError
from emoreason.instructions.readers.row import Failure, Row, fill
from emoreason.instructions.readers.tables import delimited, read_text
from emoreason.instructions.recipe import Files, Frames, Join


def matching(root: Path, pattern: str) -> list[tuple[str, dict[str, str]]]:
    """(relative path, named groups) in order of the paths. ConfigError where nothing fits: the layout is another one."""
    expression, found, seen = re.compile(pattern), [], ""
    for folder, _, names in os.walk(root):
        for name in names:
            path = (Path(folder) / name).relative_to(root).as_posix()
            match = expression.fullmatch(path)
            seen = seen or path
            if match:
                found.append((path, {key: value or "" for key, value in match.groupdict().items()}))
    if not found:
        raise ConfigError(f"{root}: no file fits the recipe's pattern {pattern} (there is, for one, '{seen}'); see its layout")
    return sorted(found)


def file_rows(reader: Files, root: Path, dataset: str) -> Iterator[Row | Failure]:
    """One row per file, with the columns of the joined table and of the sidecars."""
    joined = _joined(reader.join, root) if reader.join else {}
    for path, groups in matching(root, reader.pattern):
        columns = {"path": path, **groups}
        try:
            if reader.join:
                columns = _row_of(fill(reader.join.key, columns), joined, reader.join) | columns
            columns |= {name: _sidecar(root / fill(template, columns)) for name, template in reader.sidecars.items()}
        except (ValueError, OSError) as error:
            yield Failure(dataset, path, str(error))
            continue
        yield Row(path, columns)


def _row_of(key: str, joined: dict[str, dict[str, str]], join: Join) -> dict[str, str]:
    if key in joined:
        return joined[key]
    if not join.optional:
        raise ValueError(f"'{key}' is not in {join.table}")
    return dict.fromkeys(next(iter(joined.values()), {}), "")


def _joined(join: Join, root: Path) -> dict[str, dict[str, str]]:
    path = root / join.table
    if not path.is_file():
        raise ConfigError(f"{path}: the table that the recipe joins is not there")
    rows = (cells for _, cells in delimited(path, join.columns, join.delimiter, True, "utf-8-sig") if isinstance(cells, dict))
    try:
        return {fill(join.on, cells): cells for cells in rows}
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _sidecar(path: Path) -> str:
    if path.suffix == ".npy":
        return str(np.load(path, allow_pickle=False).item())
    return read_text(path).strip()


def frame_rows(reader: Frames, root: Path, dataset: str) -> Iterator[Row | Failure]:
    """One row per kept frame; `path` is the list's, `frame` the number."""
    for path, groups in matching(root, reader.pattern):
        lines = read_text(root / path).splitlines()[reader.header :]
        start = reader.header + 1
        if reader.line:
            yield from _fitting(lines, reader.line, path, groups, start)
            continue
        names = reader.columns
        if not lines:
            yield Failure(dataset, path, "the list is empty")
            continue
        if names is None:
            names, lines, start = [name.strip() for name in lines[0].split(reader.delimiter)], lines[1:], start + 1
        try:
            beside = {column: _last_values(root / fill(at, groups), reader, len(lines)) for column, at in reader.beside.items()}
        except (ValueError, OSError) as error:
            yield Failure(dataset, path, str(error))
            continue
        for index in range(0, len(lines), reader.step):
            cells = lines[index].strip().split(reader.delimiter)
            place = f"{path}:{index + start}"
            if len(cells) != len(names):
                yield Failure(dataset, place, f"{len(cells)} values where {len(names)} are expected")
                continue
            columns = {"path": path, **groups, "frame": str(index + reader.first)} | dict(zip(names, cells, strict=True))
            yield Row(place, columns | {column: values[index] for column, values in beside.items()})


def _fitting(lines: list[str], expression: str, path: str, groups: dict[str, str], start: int) -> Iterator[Row]:
    for number, line in enumerate(lines, start):
        match = re.fullmatch(expression, line.strip())
        if match:
            yield Row(f"{path}:{number}", {"path": path, **groups} | {key: text or "" for key, text in match.groupdict().items()})


def _last_values(path: Path, reader: Frames, length: int) -> list[str]:
    values = [line.strip().split(reader.delimiter)[-1] for line in read_text(path).splitlines()[reader.header :]]
    if len(values) != length:
        raise ValueError(f"{path.name} has {len(values)} frames where {length} are expected")
    return values
