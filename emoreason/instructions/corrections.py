"""What a model wrote, set right where there is nothing to judge: words it quotes, and which emotion a cue speaks for.

It chooses the cues and the words that it tells; the transcript and the cues' weights are known. Small models learn the form of
such a sentence before its sense ("The speaker says 'f1'", "less in line with happiness: f2", a cheek raiser). What is measured on
a face or in a voice is not set right: such claims are checked and marked.
"""

import random
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from emoreason.instructions.chains import MORE_IN_LINE, ids, interpretation, said
from emoreason.instructions.templates import templates
from emoreason.labels.emotions import canonical
from emoreason.model.prompt import Evidence, sanitize
from emoreason.report import wording

_ID = r"\b[fvw]\d+\b"
_CITED = re.compile(rf"\[({_ID})")
_WORDS = r"([^.!?;:]+?)(?=:| is | fits |[;.!?]|$)"
_BEGIN, _END = r"(?:(?<=[.!?] )|^)", r"(?:[.!?]|$)"
_QUOTED = re.compile(r'"([^"]*)"?')


def corrected(text: str, lines: Sequence[Evidence]) -> str:
    """`text` with the sentences that quote somebody, or weigh cues for an emotion or for one rather than another, set right.

    A quotation that is not in the words of an evidence line is told anew where the sentence cites such a line, else left out.
    What cues speak for is what the composed chains say of the same cues: those that are no evidence line do not count, and a
    sentence that has no others is left out, unless it says that none is decisive, which is held against the cues cited in
    brackets. What is said about other words than the eight emotions stays.
    """
    told = " ".join(filter(None, (_quoting(sentence, lines) for sentence in _sentences(text))))
    told = _weighing().sub(lambda found: _weighed(found, told, lines), told)
    return " ".join(_comparing().sub(lambda found: _compared(found, lines), told).split())


def _sentences(text: str) -> Iterator[str]:
    """A full stop inside a quotation ends nothing."""
    start, quoted = 0, False
    for at, character in enumerate(text):
        quoted ^= character == '"'
        if character in ".!?" and not quoted and text[at + 1 : at + 2] in ("", " "):
            yield text[start : at + 1].strip()
            start = at + 1
    yield text[start:].strip()


def _quoting(sentence: str, lines: Sequence[Evidence]) -> str:
    quotes = _QUOTED.findall(sentence)
    heard = [line for line in lines if line.cue.modality == "words"]
    known = [_plain(sanitize(str(line.cue.value))) for line in heard]
    if all(any(_plain(quote) and _plain(quote) in words for words in known) for quote in quotes):
        return sentence
    cited = [line for line in heard if line.id in re.findall(_ID, sentence)]
    return said(cited[0], templates(), random.Random(sentence)) if cited else ""


def _plain(words: str) -> str:
    """Letters and digits alone, in small letters."""
    return "".join(character for character in words.casefold() if character.isalnum())


def _weighed(found: re.Match, text: str, lines: Sequence[Evidence]) -> str:
    emotion = next(value for value in found.groups() if value).lower()
    known = canonical(emotion)
    if known is None:
        return found[0]
    named = re.findall(_ID, found[0]) or _CITED.findall(text)
    told = [line for line in lines if line.id in named]
    return interpretation(told, emotion, known, templates(), random.Random(found[0]))


def _compared(found: re.Match, lines: Sequence[Evidence]) -> str:
    one, cues, other, rest = found.groups()
    mine, theirs = canonical(one.lower()), canonical(other.lower())
    if mine is None or theirs is None:
        return found[0]
    told = [line for line in lines if line.id in re.findall(_ID, cues)]
    leads = {line.id: wording.gain(line.cue, mine) - wording.gain(line.cue, theirs) for line in told}
    if better := [line for line in told if leads[line.id] > wording.FOR]:
        return MORE_IN_LINE.format(label=one, ids=ids(better), other=other) + rest
    worse = [line for line in told if leads[line.id] < -wording.FOR]
    turned = MORE_IN_LINE.format(label=other, ids=ids(worse), other=one.lower()) if worse else ""
    return f"{turned[0].upper()}{turned[1:]}." if turned else ""


@lru_cache
def _weighing() -> re.Pattern:
    """A whole sentence that begins in one of the ways of saying what cues speak for."""
    begins = [
        re.escape(phrasing).replace(r"\{emotion\}", _WORDS).replace(r"\{ids\}", _ID)
        for phrasing in (*templates().sentences["for"], *templates().sentences["undecided"])
    ]
    return re.compile(rf"{_BEGIN}(?:{'|'.join(begins)})[^.!?]*{_END}", re.IGNORECASE)


@lru_cache
def _comparing() -> re.Pattern:
    """A whole sentence that begins with `MORE_IN_LINE`."""
    said = re.escape(MORE_IN_LINE).replace(r"\{label\}", "([^.!?;:]+?)").replace(r"\{ids\}", rf"({_ID}(?:,? (?:and )?{_ID})*)")
    return re.compile(_BEGIN + said.replace(r"\{other\}", "([^.!?;:,]+?)(?=[;.!?]|$)") + rf"([^.!?]*{_END})")
