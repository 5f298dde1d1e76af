"""Text to tokens and sentences. Offsets always point into the text as given."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from emoreason.scoring.vocabulary import lemma

_TOKEN = re.compile(r"[0-9]+:[0-9]{2}(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*|['’]s\b|\n+|[^\s]")
_BULLET = re.compile(r"\s*(?:[-*•]|\d+[.)])\s")
_PAIRS = {'"': '"', "“": "”", "«": "»", "„": "“"}
_ENDS = frozenset(".!?…")
_ABBREVIATIONS = frozenset("approx ca e.g i.e vs resp cf incl etc fig sec no".split())
MAX_TOKENS = 200  # a longer "sentence" is cut: no one writes it, and the work per sentence may grow with its square
MAX_QUOTE = 400  # characters; longer "quotes" are unbalanced marks


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is lower case; a quote is one token whose text is what stands between the marks, as written."""

    text: str
    start: int
    end: int
    kind: Literal["word", "number", "clock", "quote", "mark"]
    lemma: str


def tokenize(text: str) -> list[Token]:
    """Tokens in order, without whitespace; hyphens between letters are dropped ("one-sided" is two words)."""
    tokens, position = [], 0
    for start, end in [*_quotes(text), (len(text), len(text))]:
        tokens += _plain(text, position, start)
        if end > start:
            tokens.append(Token(text[start + 1 : end - 1], start, end, "quote", "<quote>"))
        position = end
    return tokens


def _plain(text: str, start: int, end: int) -> Iterator[Token]:
    for match in _TOKEN.finditer(text, start, end):
        word, here = match.group().lower(), match.start()
        if word == "-" and 0 < here < len(text) - 1 and text[here - 1].isalpha() and text[here + 1].isalpha():
            continue
        if word[0] in "0123456789":
            yield Token(word, here, match.end(), "clock" if ":" in word else "number", "<number>")
        elif word[0].isalpha() or word in ("'s", "’s"):
            yield Token(word.replace("’", "'"), here, match.end(), "word", lemma(word))
        else:
            yield Token(word, here, match.end(), "mark", word)


def _quotes(text: str) -> list[tuple[int, int]]:
    """Spans (marks included) of quoted passages. Apostrophes inside words are no quotation marks."""
    singles = [m.end() for m in re.finditer(r"(?<=[^\s])['’](?!\w)", text)]
    spans, position = [], 0
    for match in re.finditer(r"[\"“«„]|(?<!\w)['‘](?=\S)", text):
        start = match.start()
        if start < position:
            continue
        if match.group() in _PAIRS:
            end = text.find(_PAIRS[match.group()], start + 1, start + MAX_QUOTE) + 1
        else:
            nth = bisect_right(singles, start + 2)
            end = singles[nth] if nth < len(singles) and singles[nth] - start <= MAX_QUOTE else 0
        if end > start + 2 and "\n\n" not in text[start:end]:
            spans.append((start, end))
            position = end
    return spans


def sentences(text: str, tokens: list[Token]) -> Iterator[tuple[list[Token], bool]]:
    """Sentences without their end marks, at most MAX_TOKENS long, and whether each is a question."""
    current: list[Token] = []
    for n, token in enumerate(tokens):
        after = tokens[n + 1] if n + 1 < len(tokens) else None
        if len(current) == MAX_TOKENS:
            yield current, False
            current = []
        if token.kind == "mark" and (token.text in _ENDS and not _abbreviates(tokens, n, after) or _ends_line(text, token)):
            if current:
                yield current, token.text == "?"
            current = []
        elif not token.text.startswith("\n") or token.kind == "quote":
            current.append(token)
    if current:
        yield current, False


def _abbreviates(tokens: list[Token], n: int, after: Token | None) -> bool:
    """Whether the full stop at n belongs to an abbreviation ("approx. 3 s") or stands inside one ("e.g.")."""
    before = tokens[n - 1] if n else None
    if before is None or after is None or before.end != tokens[n].start or tokens[n].text != ".":
        return False
    return before.text in _ABBREVIATIONS or before.kind == "word" and len(before.text) == 1 and after.start == tokens[n].end


def _ends_line(text: str, token: Token) -> bool:
    """A blank line or a bullet behind a line break ends a sentence; a plain wrapped line does not."""
    return token.text.startswith("\n") and (len(token.text) > 1 or _BULLET.match(text, token.end) is not None)
