"""How far a negation, a time and a person reach inside one sentence."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from emoreason.scoring.marks import Mark, Piece, is_object
from emoreason.scoring.times import Time
from emoreason.scoring.tokens import Token

REACH = 6  # pieces looked at in either direction: keeps the work linear in the length of a sentence
_AND = frozenset((",", "and", "&", "/", "as", "plus", "while"))
_RESTARTS = frozenset(("then", "until", "afterwards", "before"))
_GENITIVE = frozenset("of on in by for from across".split())
_JOINS = frozenset("and or nor , & 's both the".split())


def negate(parts: Sequence[Piece]) -> None:
    """Sets `negated` of every mark. A negation reaches to the end of its clause, and over "or"; over "and" and commas only as
    long as the list has no verb or subject of its own: "not raised and furrowed" is one, "no smile and wide eyes" is not.
    """
    on, kind, met = False, "", False  # met: something that can be denied stood behind the negator
    for n, piece in enumerate(parts):
        if on and met:
            on = not piece.hard and _continues(parts, n, kind)
        if piece.separator == "nor":
            on, kind, met = True, "noun", False
        for mark in piece.marks:
            negator = mark.roles.get("neg")
            if negator in ("noun", "list", "verb"):
                on, kind, met = not (on and not met), negator, False
            mark.negated = on
            met = met or mark.content


def _continues(parts: Sequence[Piece], n: int, kind: str) -> bool:
    piece = parts[n]
    if piece.separator in ("or", "nor"):
        return True
    if piece.separator not in _AND or piece.finite:
        return False
    ends_in_or = _ends_in_or(parts, n)
    if kind == "verb":
        content = [mark for mark in piece.marks if mark.content]
        subject = len(content) > 1 and "part" in content[0].roles  # "not raised and the lips pressed"
        return ends_in_or or piece.separator != "," and not subject
    return kind == "list" or ends_in_or


def _ends_in_or(parts: Sequence[Piece], n: int) -> bool:
    for piece in parts[n + 1 : n + REACH]:
        if piece.hard or piece.finite:
            return False
        if piece.separator in ("or", "nor"):
            return True
    return False


def denied_behind(piece: Piece) -> bool:
    """Whether the piece denies what it has said before: "AU12 is absent", "a smile is not visible"."""
    content_after, after = False, None
    for mark in reversed(piece.marks):
        negator = mark.roles.get("neg")
        if negator == "after" and not content_after:
            return not mark.negated
        if negator == "verb":
            return not content_after and after is not None
        content_after = content_after or mark.content and "exists" not in mark.roles
        after = mark if "exists" in mark.roles else after
    return False


@dataclass
class Persons:
    """Who is spoken of, over the sentences of a text. `last` is who a pronoun means."""

    last: tuple[str | None, ...] = (None,)

    def read(self, tokens: Sequence[Token], marks: Sequence[Mark]) -> list[tuple[Mark, tuple[str | None, ...]]]:
        """(mark, persons) for every person named as a subject or owner in one sentence, in order."""
        named: list[tuple[Mark, tuple[str | None, ...]]] = []
        for mark in marks:
            if mark.person is None or is_object(tokens, mark):
                continue
            who = self.last if mark.person == "back" else (None,) if mark.person == "reset" else (mark.person,)
            if named and mark.person not in ("back", "reset", "all") and _joined(tokens, named[-1][0], mark):
                who = named[-1][1] + who
            named.append((mark, who))
            self.last = who
        return named


def _joined(tokens: Sequence[Token], before: Mark, mark: Mark) -> bool:
    between = tokens[before.j : mark.i]
    return 0 < len(between) <= 4 and all(token.text in _JOINS for token in between)


def persons_of(
    tokens: Sequence[Token], named: Sequence[tuple[Mark, tuple[str | None, ...]]], i: int, j: int, end: int, reach: int
) -> tuple[str | None, ...]:
    """Who the cue at tokens[i:j] belongs to: a genitive behind it ("of p2"), else who was named last before it, else behind it.
    `end` is where its piece ends, `reach` how far a person named behind it can be meant ("With a smile, p1 ...").
    """
    before = [who for mark, who in named if mark.i < j]
    behind = [(mark, who) for mark, who in named if j <= mark.i < reach]
    if behind and (not before or behind[0][0].i < end and tokens[_owner(tokens, behind[0][0].i)].text in _GENITIVE):
        return behind[0][1]
    return before[-1] if before else (None,)


def _owner(tokens: Sequence[Token], i: int) -> int:
    return i - 2 if i >= 2 and tokens[i - 1].text in ("the", "person", "face", "both") else max(i - 1, 0)


def times(parts: Sequence[Piece], filled: Set[int]) -> list[list[Time]]:
    """The times that hold for each piece. One that opens a clause holds until the next; one that closes it reaches back over
    the list before it ("raised brows and wide eyes from 2 to 4 s"); one in brackets stays where it is. `filled`: the pieces
    that hold a cue.
    """
    own = [_own(piece) for piece in parts]
    if any(not time.peak for times in own for time in times):  # "peaking at 3 s" says less than the span beside it
        own = [[time for time in times if not time.peak] for times in own]
    _join_times(parts, own, filled)
    result = [list(times) for times in own]
    lead: list[Time] = []
    for n, piece in enumerate(parts):
        if piece.separator in _RESTARTS:
            lead = []
        if own[n] and _leads(parts, n):
            lead = own[n]
        elif own[n]:
            _reach_back(parts, n, own, result)
        elif lead:
            result[n] = list(lead)
    return result


def _own(piece: Piece) -> list[Time]:
    times = [mark.time for mark in piece.marks if mark.time and not mark.parens]
    return [time for time in times if time.phase or time.start_s is not None or time.end_s is not None]


def _join_times(parts: Sequence[Piece], own: list[list[Time]], filled: Set[int]) -> None:
    """A piece that is only a time joins the one before it: "at 1 s and again at 6 s", "starting at 1 s and ending at 6 s"."""
    last: list[Time] = []
    for n, piece in enumerate(parts):
        if piece.hard or n in filled:
            last = own[n]
        elif own[n] and last:
            before, time = last[-1], own[n][0]
            if before.end_s is None and time.start_s is None and before.start_s is not None and time.end_s is not None:
                last[-1] = replace(before, end_s=time.end_s)
            else:
                last.extend(own[n])
            own[n] = []


def _leads(parts: Sequence[Piece], n: int) -> bool:
    """Whether the time of piece n stands before what it is about."""
    first = next(mark for mark in parts[n].marks if mark.content or mark.time and not mark.parens)
    if first.time is None:
        return False
    if any(mark.content for mark in parts[n].marks) or parts[n].hard:
        return True
    return n > 0 and parts[n].separator == "," and not parts[n - 1].marks and parts[n - 1].separator in ("and", "then")


def _reach_back(parts: Sequence[Piece], n: int, own: Sequence[list[Time]], result: list[list[Time]]) -> None:
    k = n
    while k > 0 and not parts[k].hard and n - k < REACH:
        k -= 1
        if own[k] or result[k] or parts[k].finite and parts[n].finite:
            return
        result[k] = list(own[n])
