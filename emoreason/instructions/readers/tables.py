"""Rows of csv, tsv and other delimited text, of spreadsheets, and of json lists."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from emoreason.errors import ConfigError
from emoreason.instructions.readers.row import Failure, Row
from emoreason.instructions.recipe import Json, Paths, Table

SHEETS = (".xlsx", ".xls", ".ods")


def table_files(root: Path, tables: Paths, dataset: str) -> Iterator[tuple[str, Path] | Failure]:
    """(split, file) of those that exist. One missing table is a failure, all of them missing is the wrong folder."""
    listed = [(split, name) for split, names in tables.items() for name in ([names] if isinstance(names, str) else names)]
    if not any((root / name).is_file() for _, name in listed):
        names = ", ".join(name for _, name in listed)
        raise ConfigError(f"{root}: none of the tables is there ({names}); see the recipe's layout")
    for split, name in listed:
        if (root / name).is_file():
            yield split, root / name
        else:
            yield Failure(dataset, name, "the table is not there")


def read_text(path: Path, encoding: str = "utf-8-sig") -> str:
    """The whole file with its line ends as written; ConfigError where it is not in that encoding."""
    try:
        with open(path, encoding=encoding, newline="") as file:
            return file.read()
    except (UnicodeDecodeError, LookupError) as error:
        raise ConfigError(f"{path}: not readable as {encoding} ({error}); set `encoding` in the recipe") from error


def separator_of(path: Path) -> str:
    """What parts the cells of a line, by the file's name."""
    return "\t" if path.suffix.lower() in (".tsv", ".tab") else ","


def lines_of(
    path: Path, delimiter: str | None = None, quoted: bool = True, encoding: str = "utf-8-sig"
) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a text file, with or without BOM and CRLF, or of the first sheet of a workbook."""
    if path.suffix.lower() in SHEETS:
        yield from enumerate(_sheet(path), 1)
        return
    lines = io.StringIO(read_text(path, encoding), newline="")  # splitlines would also cut at form feeds inside a cell
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    rows = csv.reader(lines, delimiter=delimiter or separator_of(path), quoting=quoting)
    yield from ((rows.line_num, cells) for cells in rows)


def _sheet(path: Path) -> list[list[str]]:
    """Cells as text, whole numbers without a point. ConfigError for what is no workbook."""
    try:
        rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, OSError) as error:
        raise ConfigError(f"{path}: no spreadsheet can be read in it ({error}); save it as xlsx or csv") from error
    return [[str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell) for cell in row] for row in rows]


def delimited(
    path: Path,
    columns: list[str] | None = None,
    delimiter: str | None = None,
    quoted: bool = True,
    encoding: str = "utf-8-sig",
    header: str | None = None,
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """(line number, {column: text} or what is wrong with the line). `header`: a column of the header; lines above are skipped."""
    lines = lines_of(path, delimiter, quoted, encoding)
    names = [name.strip() for name in columns or _header(path, lines, header)]
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) == len(names):
            yield number, dict(zip(names, cells, strict=True))
        else:
            yield number, f"{len(cells)} cells where {len(names)} are expected ({', '.join(names[:6])}, ...)"


def _header(path: Path, lines: Iterator[tuple[int, list[str]]], name: str | None) -> list[str]:
    for _, cells in lines:
        if name is None or name in map(str.strip, cells):
            return cells
    if name is not None:
        raise ConfigError(f"{path}: no line has the column '{name}', which the recipe's `header` names")
    return []


def table_rows(reader: Table, root: Path, dataset: str) -> Iterator[Row | Failure]:
    """Each line of each table; the column `split` is the table's, unless the file has one of its own."""
    for found in table_files(root, reader.tables, dataset):
        if isinstance(found, Failure):
            yield found
            continue
        split, path = found
        for number, cells in delimited(path, reader.columns, reader.delimiter, reader.quoted, reader.encoding, reader.header):
            place = f"{path.relative_to(root).as_posix()}:{number}"
            yield Failure(dataset, place, cells) if isinstance(cells, str) else Row(place, {"split": split} | cells)


def json_rows(reader: Json, root: Path, dataset: str) -> Iterator[Row | Failure]:
    """Each item of each list, its nested values flattened."""
    for found in table_files(root, reader.tables, dataset):
        if isinstance(found, Failure):
            yield found
            continue
        split, path = found
        for number, item in enumerate(_items(path, reader.items)):
            place = f"{path.relative_to(root).as_posix()}:{number}"
            if isinstance(item, dict):
                yield Row(place, {"split": split, "number": str(number)} | flatten(item))
            else:
                yield Failure(dataset, place, f"an item is a mapping, not {type(item).__name__}")


def load_json(path: Path):
    """Of .jsonl a list; ConfigError where it is not JSON."""
    text = read_text(path)
    try:
        return [json.loads(line) for line in text.split("\n") if line.strip()] if path.suffix == ".jsonl" else json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: not JSON ({error})") from error


def _items(path: Path, place: str | None) -> list:
    value = load_json(path)
    for key in place.split(".") if place else ():
        if not isinstance(value, dict) or key not in value:
            raise ConfigError(f"{path}: no '{key}' on the way to `items: {place}`")
        value = value[key]
    if isinstance(value, dict):
        return [{"key": key} | (item if isinstance(item, dict) else {"value": item}) for key, item in value.items()]
    return value


def flatten(value, prefix: str = "") -> dict[str, str]:
    """{"a": [{"b": 1}]} -> {"a.0.b": "1"}; a list of plain values is also a column of its own, joined by commas."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    flat: dict[str, str] = {}
    for key, item in pairs:
        name = f"{prefix}{key}"
        if isinstance(item, dict | list):
            if isinstance(item, list) and not any(isinstance(part, dict | list) for part in item):
                flat[name] = ",".join(map(str, item))
            flat |= flatten(item, f"{name}.")
        else:
            flat[name] = "" if item is None else str(item)
    return flat
