"""What an answer in plain words says: for models that were not taught the answer fields, and for sentences outside them.

Strict: an emotion that is denied, supposed or asked about is not said, and where two answers are said none is. Nothing here is
given the truth; what cannot be read is None, which every metric counts as wrong.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from emoreason.labels.action_units import ACTION_UNITS, Level
from emoreason.labels.emotions import ALIASES, canonical
from emoreason.scoring.grammar import parse
from emoreason.scoring.marks import Mark, pieces, scan
from emoreason.scoring.scopes import denied_behind, negate
from emoreason.scoring.tokens import Token, sentences, tokenize

_NUMBER = r"([+\-−]?(?:\d+(?:\.\d+)?|\.\d+))(?![\d%.]*\d|%)"
_DIMENSION = r"\b{}\b(?:\s+(?:is|of|score|value|about|around|at)|\s*[:=(\[\"'])*\s*" + _NUMBER
_AFFECT = {name: re.compile(_DIMENSION.format(name), re.IGNORECASE) for name in ("valence", "arousal")}
_YES_NO = re.compile(r"\W*(yes|no)\b(?!\s*(?:and|or|/)\s*(?:yes|no)\b)", re.IGNORECASE)
_NO_UNITS = re.compile(r"\bno\b[\w\s,]{0,60}\b(?:action units?|aus?)\b(?!\s*\d)", re.IGNORECASE)
# "3 because of 1 (joy)", "utterance 3 (joy) because of utterance 1"; and "3_joy, 1" or "(3, joy, 1)", as data sets write them.
_BECAUSE = re.compile(
    r"(?P<effect>\d+)\s*(?:\((?P<before>[^\W\d]+)\)\s*)?because of\s+"
    r"(?:utterance\s+)?(?P<cause>\d+)(?:\s*\((?P<behind>[^\W\d]+)\))?",
    re.IGNORECASE,
)
_TUPLE = re.compile(r"(?P<effect>\d+)[\"']?\s*[_,]\s*[\"']?(?P<before>[^\W\d_]+)[\"']?\s*,\s*[\"']?(?P<cause>\d+)(?P<behind>)")
_BEFORE = 24  # characters in which a "not" can stand before a pair
_DENIED = re.compile(r"\bnot\s+(?:utterance\s+|[\[(\"'\s])*$", re.IGNORECASE)


class UnitSaid(NamedTuple):
    """An action unit that a text claims. side and level (see `Statement`) only where they are said."""

    au: str
    side: str | None = None
    level: Level | None = None


class CauseSaid(NamedTuple):
    """Utterance `effect` because of utterance `cause`, numbers as written."""

    effect: int
    cause: int
    emotion: str | None = None


@dataclass(frozen=True)
class Mention:
    """A word of a vocabulary in a text. Not `asserted`: denied, or in a clause that only supposes."""

    word: str
    asserted: bool


def spellings(labels: Sequence[str]) -> dict[str, str]:
    """Word -> label: each label, and the synonyms of its emotion where no other label has the same emotion."""
    found = {label.lower(): label for label in labels}
    emotions = [canonical(label) for label in labels]
    for label, emotion in zip(labels, emotions, strict=True):
        if emotion and emotions.count(emotion) == 1:
            for word in ALIASES[emotion]:
                found.setdefault(word, label)
    return found


def label_said(text: str, words: Mapping[str, str]) -> str | None:
    """The one label that `text` asserts; None where it asserts none or several. words: word -> label, as of `spellings`.

    Example: label_said("Not anger but sadness.", spellings(("anger", "sadness"))) == "sadness"
    """
    said = {words[mention.word] for mention in mentions(text, words) if mention.asserted}
    return said.pop() if len(said) == 1 else None


def words_said(text: str, vocabulary: Collection[str]) -> tuple[str, ...]:
    """Words of the vocabulary (lower case, longest match first) that `text` asserts, each once, in order."""
    return tuple(dict.fromkeys(mention.word for mention in mentions(text, vocabulary) if mention.asserted))


def mentions(text: str, vocabulary: Collection[str]) -> list[Mention]:
    """All mentions outside questions. Negation and supposition reach as far as in statements about cues (`scoring.grammar`)."""
    index = _index(frozenset(vocabulary))
    longest = max(map(len, index), default=0)
    found = []
    for tokens, question in sentences(text, tokenize(text)):
        own = {} if question else {mark: word for mark, word in _marks(tokens, index, longest)}
        taken = {n for mark in own for n in range(mark.i, mark.j)}
        others = [mark for mark in scan(text, tokens) if not taken.intersection(range(mark.i, mark.j))]
        parts = pieces(tokens, sorted([*others, *own], key=lambda mark: mark.i))
        negate(parts)
        for piece in parts:
            denied = denied_behind(piece)
            found += [Mention(own[m], not (m.negated or denied or piece.maybe)) for m in piece.marks if m in own]
    return found


@lru_cache(maxsize=16)
def _index(vocabulary: frozenset[str]) -> dict[tuple[str, ...], str]:
    return {tuple(token.text for token in tokenize(word)): word for word in sorted(vocabulary)}


def _marks(tokens: Sequence[Token], index: Mapping[tuple[str, ...], str], longest: int) -> Iterator[tuple[Mark, str]]:
    """Longest matches from left to right; a quotation matches as a whole."""
    i = 0
    while i < len(tokens):
        if tokens[i].kind == "quote":
            lengths = (1,)
            keys = {1: tuple(token.text for token in tokenize(tokens[i].text))}
        else:
            lengths = range(min(longest, len(tokens) - i), 0, -1)
            keys = {n: tuple(token.text for token in tokens[i : i + n]) for n in lengths}
        length = next((n for n in lengths if keys[n] in index), 0)
        if length:
            yield Mark(i, i + length, {"cue": ""}), index[keys[length]]
        i += length or 1


def units_said(text: str) -> tuple[UnitSaid, ...] | None:
    """Action units that `text` claims, by number or in words; those that it also denies are left out.

    None where it says nothing about any unit; () where it denies what it names, or says that there is none.
    """
    about = [s for s in parse(text) if s.cue in ACTION_UNITS]
    if not about:
        return () if _NO_UNITS.search(text) else None
    denied = {s.cue for s in about if s.negated}
    claimed = (UnitSaid(s.cue, s.side, s.level) for s in about if s.cue not in denied)
    return tuple(dict.fromkeys(claimed))


def affect_said(text: str) -> tuple[float, float] | None:
    """(valence, arousal) in [-1, 1]; None unless the text gives exactly one number for each, on that scale."""
    values = []
    for pattern in _AFFECT.values():
        numbers = {float(number.replace("−", "-")) for number in pattern.findall(text)}
        if len(numbers) != 1 or not -1 <= (value := numbers.pop()) <= 1:
            return None
        values.append(value)
    return values[0], values[1]


def causes_said(text: str, emotions: Collection[str] = ()) -> tuple[CauseSaid, ...] | None:
    """Emotion-cause pairs, each once; None where none is said. An emotion that is none of `emotions` is not taken over."""
    found = {}
    for match in [*_BECAUSE.finditer(text), *_TUPLE.finditer(text)]:
        if not _DENIED.search(text[max(0, match.start() - _BEFORE) : match.start()]):
            word = (match["before"] or match["behind"] or "").lower()
            found[CauseSaid(int(match["effect"]), int(match["cause"]), word if word in emotions else None)] = None
    return tuple(found) or None


def yes_no_said(text: str) -> bool | None:
    """What the first word says; None when it is neither yes nor no, or both."""
    found = _YES_NO.match(text)
    return None if found is None else found.group(1).lower() == "yes"
