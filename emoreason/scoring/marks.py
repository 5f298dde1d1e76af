"""What the tokens of one sentence are (parts, movements, codes, persons, times, function words), cut into pieces.

A piece is what stands between two separators (comma, "and", "but", "with"): most of the time one noun phrase or one clause.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from emoreason.scoring.lexicon import LANGUAGES, PRONOUNS, SKIPPED
from emoreason.scoring.times import Time, time_at
from emoreason.scoring.tokens import Token
from emoreason.scoring.vocabulary import PHRASES, PREFIXES, is_finite

_HEADS = {"51": "head_left", "52": "head_right", "53": "head_up", "54": "head_down", "55": "tilt_left", "56": "tilt_right"}
_FACS_LETTERS = {"a": "slight", "b": "slight", "c": "marked", "d": "strong", "e": "strong"}
_NAMES = frozenset("person face subject individual participant".split())
_OTHERS = frozenset(
    "man woman boy girl child lady guy actor actress host listener someone somebody other another interviewer character men "
    "women "
    "people mother father baby viewer interlocutor".split()
)
_ALL = frozenset("everyone everybody".split())
_GROUPS = frozenset("people persons faces person face individuals of subjects".split())
_AFTER_CODES = frozenset("at from on in and or with between".split())
_ORDINALS = {word: n for n, word in enumerate("first second third fourth fifth sixth".split(), 1)}
_CARDINALS = {word: n for n, word in enumerate("one two three four five six seven eight nine".split(), 1)}
_SIDES = frozenset(("left", "right"))
_COMPARED = frozenset("contrast compared opposed contrary next relative similar".split())
_OBJECT = frozenset("at toward towards facing than unlike beside".split())
_PLACES = frozenset("left right center centre middle background front foreground".split())


@dataclass(frozen=True)
class Code:
    """An action unit named by its number."""

    cue: str
    side: str | None = None
    level: str | None = None


@dataclass(eq=False)
class Mark:
    """tokens[i:j] and the roles they can play (see lexicon.PHRASES); times, codes and persons carry their value."""

    i: int
    j: int
    roles: dict[str, str] = field(default_factory=dict)
    time: Time | None = None
    codes: tuple[Code, ...] = ()
    person: str | None = None  # "p1", "all", "speaker", "back" (the one last named), "reset" (somebody unknown)
    negated: bool = False
    parens: bool = False

    @property
    def content(self) -> bool:
        return bool(self.codes or self.roles.keys() & {"part", "move", "cue", "said", "language"})


@dataclass
class Piece:
    """A stretch of a sentence between separators, with its marks."""

    separator: str
    hard: bool
    i: int
    marks: list[Mark] = field(default_factory=list)
    finite: bool = False
    maybe: bool = False


def scan(text: str, tokens: Sequence[Token]) -> list[Mark]:
    """Marks of one sentence in order, not overlapping; tokens that play no role have none."""
    marks: list[Mark] = []
    i, depth = 0, 0
    while i < len(tokens):
        mark = _mark_at(text, tokens, i)
        if mark is None:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(tokens[i].text, 0)
            i += 1
            continue
        mark.parens = depth > 0 and any(before.content for before in marks)  # a bracket at the head says it of all that follows
        marks += _inside(tokens, mark)
        marks.append(mark)
        i = mark.j
    return marks


def _inside(tokens: Sequence[Token], mark: Mark) -> list[Mark]:
    """Pronouns and sides that a phrase has swallowed: "corner of her mouth", "outer part of the left brow"."""
    if not mark.roles:
        return []
    inner = range(mark.i + 1, mark.j - 1)
    back = [Mark(n, n + 1, person="back") for n in inner if tokens[n].text in PRONOUNS]
    sides = [] if "side" in mark.roles else [Mark(n, n + 1, {"side": tokens[n].text}) for n in inner if tokens[n].text in _SIDES]
    return back + sides


def _mark_at(text: str, tokens: Sequence[Token], i: int) -> Mark | None:
    token = tokens[i]
    if token.kind == "quote":
        return Mark(i, i + 1, {"said": token.text})
    mark = _codes_at(text, tokens, i) or _person_at(tokens, i)
    if mark:
        return mark
    phrase = _phrase_at(tokens, i)
    if phrase and "null" in phrase.roles:
        return phrase
    time = time_at(tokens, i)
    if time:
        return Mark(i, time.j, time=time)
    if phrase is None and token.text in LANGUAGES:
        return Mark(i, i + 1, {"language": token.text})
    return phrase


def _phrase_at(tokens: Sequence[Token], i: int) -> Mark | None:
    """The longest phrase of the lexicon at token i; articles, possessives and sides inside it do not matter."""
    key: tuple[str, ...] = ()
    best = None
    for j in range(i, min(i + 10, len(tokens))):
        if key and (tokens[j].text in SKIPPED or tokens[j].text in _SIDES):
            continue
        key += (tokens[j].lemma,)
        if key not in PREFIXES:
            break
        if key in PHRASES:
            best = Mark(i, j + 1, dict(PHRASES[key]))
    return best


def _integer(tokens: Sequence[Token], i: int) -> int | None:
    text = tokens[i].text if i < len(tokens) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 3 else None


def _codes_at(text: str, tokens: Sequence[Token], i: int) -> Mark | None:
    """ "AU12", "AU 12C", "AUs 1, 2 and 5", "AU6+12", "action unit 4", "L12"."""
    word, j = tokens[i].text, i + 1
    side = {"l": "left", "r": "right"}.get(word)
    if side and text[tokens[i].start].isupper() and _integer(tokens, j) is not None and tokens[j].start == tokens[i].end:
        code, k = _code(tokens, j, side)
        return Mark(i, k, codes=(code,))
    if word == "action" and j < len(tokens) and tokens[j].text in ("unit", "units"):
        word, j = "aus" if tokens[j].text == "units" else "au", j + 1
    if word not in ("au", "aus") or _integer(tokens, j) is None:
        return None
    codes = []
    while j is not None:
        code, end = _code(tokens, j, None)
        codes.append(code)
        j = _next_number(tokens, end, plural=word == "aus")
    return Mark(i, end, codes=tuple(codes))


def _code(tokens: Sequence[Token], j: int, side: str | None) -> tuple[Code, int]:
    number, end, level = tokens[j].text, j + 1, None
    if end < len(tokens) and tokens[end].text in _FACS_LETTERS and tokens[end].start == tokens[j].end:
        level, end = _FACS_LETTERS[tokens[end].text], end + 1
    return Code(_HEADS.get(number, f"AU{int(number):02d}"), side, level), end


def _next_number(tokens: Sequence[Token], end: int, plural: bool) -> int | None:
    """Index of the next number of a list of codes, or None where the list ends: times and counts are no codes."""
    j = end
    while j < len(tokens) and tokens[j].text in ("+", "/", "&", ",", "and", "or"):
        j += 1
    if j == end or _integer(tokens, j) is None or time_at(tokens, j) is not None:
        return None
    tight = tokens[end].text in ("+", "/", "&")
    after = tokens[j + 1] if j + 1 < len(tokens) else None
    closes = after is None or after.kind == "mark" or is_finite(after.text) or after.text in _AFTER_CODES
    return j if tight or plural or closes and tokens[end].text in ("and", "or") else None


def _person_at(tokens: Sequence[Token], i: int) -> Mark | None:
    word = tokens[i].text
    after = tokens[i + 1].text if i + 1 < len(tokens) else ""
    name, j = None, i + 1
    if word == "p" and _integer(tokens, i + 1) is not None and tokens[i + 1].start - tokens[i].end <= 1:
        name, j = f"p{_integer(tokens, i + 1)}", i + 2
    elif word in _NAMES and after == "p" and _integer(tokens, i + 2) is not None:
        name, j = f"p{_integer(tokens, i + 2)}", i + 3
    elif word in _NAMES and (_integer(tokens, i + 1) is not None or after in _CARDINALS):
        name, j = f"p{_integer(tokens, i + 1) or _CARDINALS.get(after)}", i + 2
    elif word in _ORDINALS and after in _NAMES:
        name, j = f"p{_ORDINALS[word]}", i + 2
    elif word in ("both", "all", "each", "every") and after in _GROUPS:
        name, j = "all", i + 2
    elif word in _ALL:
        name = "all"
    elif word in ("speaker", "speakers"):
        name = "speaker"
    elif word in _OTHERS or word == "one" and (after == "person" or after == "of") or _placed_name(tokens, i):
        j = i + 1 + (after in _NAMES or word == "one")
        name, j = "reset", _place(tokens, j) or j
    elif word in PRONOUNS or word in _NAMES:
        name = "back"
    return Mark(i, j, person=name) if name else None


def _place(tokens: Sequence[Token], i: int) -> int | None:
    """End of "on the left", "in the background" at token i: who it is cannot be known from the text alone."""
    words = [token.text for token in tokens[i : i + 3]]
    placed = len(words) == 3 and words[0] in ("on", "to", "at", "in") and words[1] == "the" and words[2] in _PLACES
    return i + 3 if placed else None


def _placed_name(tokens: Sequence[Token], i: int) -> bool:
    """ "The face on the left" is somebody; "p1's face on the left side" is a side of p1."""
    owned = i > 0 and (tokens[i - 1].text == "'s" or tokens[i - 1].text in PRONOUNS)
    place = _place(tokens, i + 1) if tokens[i].text in _NAMES and not owned else None
    return place is not None and (place == len(tokens) or tokens[place].text not in ("side", "half"))


def is_object(tokens: Sequence[Token], mark: Mark) -> bool:
    """Whether a person is only looked at or compared with ("smiles at p2")."""
    i = mark.i - 1
    while i >= 0 and tokens[i].text in SKIPPED:
        i -= 1
    if i < 0:
        return False
    return tokens[i].text in _OBJECT or i > 0 and tokens[i].text in ("to", "with") and tokens[i - 1].text in _COMPARED


def pieces(tokens: Sequence[Token], marks: Sequence[Mark]) -> list[Piece]:
    """Cuts the marks at separators. Inside brackets only lists of wordy cues are cut ("signs (raised brows, wide eyes)")."""
    uncut = _uncut(tokens, marks)
    result = [Piece("", True, 0)]
    for mark in marks:
        separates = mark.roles.keys() & {"soft", "hard"} and not mark.content and mark.i not in uncut
        if separates:
            result.append(Piece(tokens[mark.i].text, "hard" in mark.roles, mark.i))
            result[-1].maybe = "soft" in mark.roles and result[-2].maybe
        else:
            result[-1].marks.append(mark)
            result[-1].maybe |= "maybe" in mark.roles
    for piece, end in zip(result, [*(p.i for p in result[1:]), len(tokens)], strict=True):
        piece.finite = any(is_finite(token.text) for token in tokens[piece.i : end])
    return result


def _uncut(tokens: Sequence[Token], marks: Sequence[Mark]) -> set[int]:
    """Token indices inside brackets that hold only codes, times, levels and the like."""
    uncut: set[int] = set()
    wordy = {n for mark in marks if mark.roles.keys() & {"part", "cue"} for n in range(mark.i, mark.j)}
    opened: int | None = None
    for n, token in enumerate(tokens):
        if token.text in "([":
            opened = n
        elif token.text in ")]" and opened is not None:
            inside = range(opened, n)
            if not wordy.intersection(inside):
                uncut.update(inside)
            opened = None
    return uncut
