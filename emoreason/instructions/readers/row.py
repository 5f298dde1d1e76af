"""Row: named columns of text out of any file, templates over them, and Failure: what could not become a record."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath

from emoreason.instructions.record import Cause, Turn

_SLOT = re.compile(r"\{([^{}|]+)(?:\|([a-z0-9]+))?\}")


@dataclass(frozen=True)
class Row:
    """`place` says where it was found (`labels.csv:17`), for messages."""

    place: str
    columns: Mapping[str, str]
    turns: list[Turn] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    target_turn: int | None = None


@dataclass(frozen=True)
class Failure:
    """A sample that was left out: never replaced, always counted."""

    dataset: str
    place: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        return asdict(self)


def fill(template: str, columns: Mapping[str, str]) -> str:
    """The template with each {column} or {column|filter} replaced; ValueError names a column that is not there."""

    def one(slot: re.Match) -> str:
        name, how = slot.groups()
        if name not in columns:
            raise ValueError(f"no column '{name}'; there are: {', '.join(columns)}")
        return _filtered(columns[name].strip(), how)

    return _SLOT.sub(one, template)


def _filtered(text: str, how: str | None) -> str:
    if how is None:
        return text
    if how == "stem":
        return PurePosixPath(text).stem
    if how == "lower":
        return text.lower()
    if how == "int" or how.isdigit():
        return str(int(float(text))).zfill(0 if how == "int" else int(how))
    raise ValueError(f"no filter '{how}': stem, lower, int, or a number of digits")


def seconds(text: str) -> float:
    """`83.2`, `00:01:23,200` or `01:23.2`."""
    total = 0.0
    for part in text.strip().replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total
