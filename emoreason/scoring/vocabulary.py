"""The lexicon made fast: phrases by their words, lemmas by their forms, meanings by their notation."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.scoring.lexicon import (
    CUES,
    ENDINGS,
    EXISTENTIAL,
    FACE_OTHER,
    FINITE,
    FRAMES,
    HARD,
    HYPOTHETICAL,
    LEVELS,
    MOVES,
    NEGATORS,
    NULL,
    PARTS,
    SIDES,
    SOFT,
    SUFFIXES,
    SYNONYMS,
    VOICE_OTHER,
    WHOLE,
)
from emoreason.scoring.statement import Modality


def _phrases(text: str) -> list[tuple[str, ...]]:
    return [tuple(phrase.split()) for phrase in text.split("|")]


def _tables() -> list[tuple[str, str, str]]:
    """(role, value, phrases) of every table."""
    rows = [("part", part, words) for part, words in PARTS.items()]
    rows += [("move", move, words) for move, words in MOVES.items()]
    rows += [("cue", meaning, words) for meaning, words in CUES.items()]
    rows += [("level", level, words) for level, words in LEVELS.items()]
    rows += [("side", side, words) for side, words in SIDES.items()]
    rows += [("neg", kind, words) for kind, words in NEGATORS.items()]
    flags = {"null": NULL, "maybe": HYPOTHETICAL, "ending": ENDINGS, "soft": SOFT, "hard": HARD, "exists": EXISTENTIAL}
    return rows + [(role, "", words) for role, words in flags.items()]


def _index() -> dict[tuple[str, ...], dict[str, str]]:
    """Phrase -> {role: value}. One phrase can play several roles: "wide" is a movement of the eyes and a level of a smile."""
    index: dict[tuple[str, ...], dict[str, str]] = {}
    for role, value, words in _tables():
        for phrase in _phrases(words):
            index.setdefault(phrase, {}).setdefault(role, value)
    return index


PHRASES = _index()
PREFIXES = frozenset(phrase[:n] for phrase in PHRASES for n in range(1, len(phrase) + 1))
VOCABULARY = frozenset(word for phrase in PHRASES for word in phrase)
VERBS = frozenset(word for words in MOVES.values() for phrase in _phrases(words) for word in phrase) | {
    *"smile grin frown look speak blink say show squint smirk laugh shout whisper pause pout".split()
}


@lru_cache(maxsize=8192)
def lemma(word: str) -> str:
    """The lexicon's form of a lower-case word; unknown words are returned as they are."""
    if word.endswith(("n't", "n’t")):
        return "not"
    for base in _folds(word):
        if base in SYNONYMS:
            return SYNONYMS[base]
        if base in VOCABULARY:
            return base
    return word


def _folds(word: str) -> Iterator[str]:
    """The word itself, then without its endings, a doubled consonant undone: "dropped" -> drop, "closing" -> close."""
    yield word
    for ending, instead in SUFFIXES:
        if word.endswith(ending) and len(word) - len(ending) >= 2:
            stem = word.removesuffix(ending)
            yield stem + instead
            if not instead and len(stem) > 3 and stem[-1] == stem[-2]:
                yield stem[:-1]


def is_finite(word: str) -> bool:
    """Whether a lower-case word is surely a verb that opens a clause of its own ("is", "raises")."""
    return word in FINITE or word.endswith("s") and lemma(word) in VERBS and lemma(word) != word


@dataclass(frozen=True)
class Meaning:
    """One cue of the notation above."""

    cue: str
    negated: bool = False
    level: str | None = None
    side: str | None = None
    weak: bool = False


@lru_cache(maxsize=1024)
def meanings(notation: str) -> tuple[Meaning, ...]:
    """Reads the notation of FRAMES and CUES: "?!AU43", "AU26=strong", "AU01 AU02"."""
    found = []
    for item in notation.split():
        weak, item = item.startswith("?"), item.removeprefix("?")
        negated, item = item.startswith("!"), item.removeprefix("!")
        item, _, level = item.partition("=")
        cue, _, side = item.partition("@")
        found.append(Meaning(cue, negated, level or None, side or None, weak))
    return tuple(found)


def frame(part: str, move: str) -> str | None:
    """What it means that `move` happens to `part`; the part's whole answers where the part has no entry."""
    meaning = FRAMES.get(part, {}).get(move)
    return meaning if meaning or part not in WHOLE else frame(WHOLE[part], move)


def modality(cue: str) -> Modality:
    """The modality that a cue belongs to."""
    if cue.startswith("AU") or cue in FACE_OTHER:
        return "face"
    if cue in VOICE_CUES or cue in VOICE_OTHER:
        return "voice"
    return "words" if cue == "said" else "scene"
