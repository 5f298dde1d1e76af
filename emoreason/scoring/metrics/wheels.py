"""Emotion wheels: tables that send a free emotion word to the inner or middle word of a wheel.

A word goes three steps: written form -> base word -> words of the wheels that it is a synonym of -> ring of one wheel. Several
ways are possible; the first in alphabetical order that leads into the wheel is taken, so the result is the same for everybody.
The published tables (OV-MER, Lian et al.; MER-UniBench, Lian et al. 2025) are read from the user's folder. The small default has
one wheel of our own words: its figures do not compare with others.

The published tables have oddities, kept so that figures compare. They list "fear" as a form of "fearless" too, which comes first
in alphabetical order ("courageous", "daring"): on four of the five wheels the bare word "fear" counts as a pleasant emotion, as
"fearful" it does not. Neutral is on no wheel.
"""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from emoreason.errors import ConfigError
from emoreason.scoring.metrics.small_wheel import SMALL_WHEEL

LEVELS = ("inner", "middle")
_FILES = ("format.csv", "synonym.xlsx", "wheel1.xlsx", "wheel2.xlsx", "wheel3.xlsx", "wheel4.xlsx", "wheel5.xlsx")
_LIST_MARKS = re.compile("['\"“”,，、;；\n]+")  # no ’: it stands inside words
_Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Wheel:
    """Any word of the wheel -> its inner word, and its middle one."""

    inner: Mapping[str, str]
    middle: Mapping[str, str]


@dataclass(frozen=True)
class WheelTables:
    """`forms`: written form -> base words; `classes`: base word -> words of the wheels. All lower case."""

    name: str
    forms: Mapping[str, tuple[str, ...]]
    classes: Mapping[str, tuple[str, ...]]
    wheels: tuple[Wheel, ...]

    def normalisers(self, level: str = "inner") -> tuple[dict[str, str], ...]:
        """For each wheel: written form -> ring word. Forms that lead nowhere have no entry."""
        if level not in LEVELS:
            raise ConfigError(f"emotion wheels have the levels {' and '.join(LEVELS)}, not '{level}'")
        return tuple(self._normaliser(getattr(wheel, level)) for wheel in self.wheels)

    def _normaliser(self, ring: Mapping[str, str]) -> dict[str, str]:
        found = {}
        for form, bases in self.forms.items():
            ways = sorted(word for base in bases for word in self.classes.get(base, ()))
            first = next((word for word in ways if word in ring), None)
            if first is not None:
                found[form] = ring[first]
        return found


def listed(words: str | Iterable[str] | None) -> list[str]:
    """Words of a list, or of a list written as text ("['happy', 'at ease']", "happy，sad"): lower case, in order, each once."""
    if words is None:
        return []
    items = _LIST_MARKS.split(words.strip().removeprefix("[").removesuffix("]")) if isinstance(words, str) else words
    return list(dict.fromkeys(word for item in items if (word := item.strip().lower())))


@cache
def small_tables() -> WheelTables:
    """One wheel of seven emotions, our own words; the middle ring is each word itself."""
    inner = {word: emotion for emotion, words in SMALL_WHEEL.items() for word in words}
    forms = {word: (word,) for word in inner}
    return WheelTables("small", forms, dict(forms), (Wheel(inner, {word: word for word in inner}),))


@cache
def read_tables(folder: Path) -> WheelTables:
    """The published tables: format.csv, synonym.xlsx, wheel1.xlsx ... wheel5.xlsx. Raises ConfigError naming what is wrong."""
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"{folder}: {', '.join(missing)} missing; point to the folder with the published emotion wheels")
    wheels = tuple(_wheel(folder / name) for name in _FILES[2:])
    return WheelTables("mer-unibench", _forms(folder / "format.csv"), _synonyms(folder / "synonym.xlsx"), wheels)


def _forms(path: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    _need(path, rows, ("name", "format"))
    for row in rows:
        base = row["name"].strip().lower()
        for form in [*listed(row["format"]), base]:
            found.setdefault(form, []).append(base)
    return {form: tuple(dict.fromkeys(bases)) for form, bases in found.items()}


def _synonyms(path: Path) -> dict[str, tuple[str, ...]]:
    """Eight runs side by side: word_runN is a word of the wheels, synonym_runN what means the same."""
    rows = _sheet(path)
    runs = [name.removeprefix("word_") for name in (rows[0] if rows else ()) if name.startswith("word_")]
    _need(path, rows, ("word_run1", "synonym_run1", *(f"synonym_{run}" for run in runs)))
    found: dict[str, set[str]] = {}
    for row in rows:
        for run in runs:
            word = row[f"word_{run}"].strip().lower()
            for synonym in [word, *listed(row[f"synonym_{run}"])] if word else ():
                found.setdefault(synonym, set()).add(word)
    return {word: tuple(sorted(classes)) for word, classes in found.items()}


def _wheel(path: Path) -> Wheel:
    """Columns level1, level2, level3 from the inside out; an empty cell repeats the one above."""
    rows, columns = _sheet(path), ("level1", "level2", "level3")
    _need(path, rows, columns)
    inner: dict[str, str] = {}
    middle: dict[str, str] = {}
    rings: dict[str, set[str]] = {}
    last = dict.fromkeys(columns, "")
    for row in rows:
        last |= {name: cell for name in columns if (cell := row[name].strip().lower())}
        one, two, three = last.values()
        inner |= dict.fromkeys((one, two, three), one)
        middle |= dict.fromkeys((two, three), two)
        rings.setdefault(one, set()).add(two)
    return Wheel(inner, middle | {one: min(twos) for one, twos in rings.items()})


def _sheet(path: Path) -> _Rows:
    try:
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    except CalamineError as error:
        raise ConfigError(f"{path}: cannot be read as an Excel sheet ({error})") from error
    head, *rows = sheet.to_python(skip_empty_area=False) or [[]]
    return [dict(zip(map(str, head), map(str, row), strict=True)) for row in rows]


def _need(path: Path, rows: _Rows, columns: Iterable[str]) -> None:
    absent = [name for name in columns if not rows or name not in rows[0]]
    if absent:
        raise ConfigError(f"{path}: column {', '.join(absent)} missing; is it the published table?")
