"""Strict parser of model answers. By signature it cannot see the truth; what it cannot read is None, never a default label."""

import re
from dataclasses import dataclass

from emoreason.labels.action_units import ACTION_UNITS

_FIELDS = re.compile(r"<answer>([^<>]*)</answer>\s*$")
_KNOWN = {"emotion", "open", "aus"}


@dataclass(frozen=True)
class Answer:
    """`emotion` is one of the candidates or None; `unclear` is True when the answer abstains in so many words."""

    explanation: str
    emotion: str | None
    open_labels: tuple[str, ...]
    aus: tuple[str, ...]
    unclear: bool
    problem: str | None  # why the fields could not be read; None when they could


def parse_answer(text: str, candidates: tuple[str, ...]) -> Answer:
    """Read `... <answer>emotion=x; open=a, b; aus=AU01, AU12</answer>`, which must stand at the end, once."""
    found = _FIELDS.search(text)
    if not found or text.count("<answer>") != 1:
        return _unreadable(text, "no single <answer>...</answer> at the end")
    explanation = text[: found.start()].strip()
    fields: dict[str, str] = {}
    for part in found.group(1).split(";"):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or name not in _KNOWN or name in fields:
            return _unreadable(explanation, f"field '{part.strip()}' is unknown, doubled or without a value")
        fields[name] = value
    emotion = fields.get("emotion", "")
    if emotion != "unclear" and emotion not in candidates:
        return _unreadable(explanation, f"emotion '{emotion}' is none of the candidates")
    aus = _items(fields.get("aus", ""))
    if unknown := [au for au in aus if au not in ACTION_UNITS]:
        return _unreadable(explanation, f"unknown action unit '{unknown[0]}'")
    clear = emotion != "unclear"
    return Answer(explanation, emotion if clear else None, _items(fields.get("open", "")), aus, not clear, None)


def _items(value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item.strip() for item in value.split(",") if item.strip()))


def _unreadable(explanation: str, problem: str) -> Answer:
    return Answer(explanation, None, (), (), False, problem)
