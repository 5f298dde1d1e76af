"""Statements about cues, read from free English.

`parse` cuts a text into sentences and pieces, marks what each word can be (lexicon), joins parts with movements ("the brows are
raised"), and adds negation, side, level, time and person by their scope. It is a small hand-written reader, not a language
model: what it does not know it leaves out. Emotion words and conclusions are no statements about cues; questions and
hypothetical clauses ("fear would show ...") state nothing. Work grows linearly with the length of the text.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from emoreason.labels.action_units import GAZE_AUS
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.scoring.lexicon import SAY
from emoreason.scoring.marks import Code, Mark, Piece, pieces, scan
from emoreason.scoring.scopes import REACH, Persons, denied_behind, negate, persons_of, times
from emoreason.scoring.statement import Statement
from emoreason.scoring.times import Time
from emoreason.scoring.tokens import Token, sentences, tokenize
from emoreason.scoring.vocabulary import Meaning, frame, meanings, modality

# Units that are easily called by each other's name: the same shapes, more or less of them.
_ALIKE = {"AU07": "AU06", "AU24": "AU23", "AU26": "AU25", "AU27": "AU25", "AU45": "AU43", "AU02": "AU01", "AU64": "AU43"}
_WINDOW = 10  # tokens between a part and its movement
_DIRECTED = ("eye", "gaze", "look", "head")  # parts for which left and right are directions
_SOUNDS = ("said", "language", "tremor")  # speech goes without saying
_TONGUE = ("speak", "language", "speech", "word")
_CONTRASTS = ("but", "yet", "then", "though", "although")  # "not raised but lowered" goes on about the same part
# Words too common to reach into another piece.
_BOUND = frozenset("up down back inward still show away visible even large small level set".split())


@dataclass
class _Found:
    """Cues that one expression names, before scopes are applied."""

    meanings: tuple[Meaning, ...]
    marks: list[Mark]
    piece: int
    side: str | None = None
    level: str | None = None
    negated: bool = False
    denied: bool = False
    quote: str | None = None
    misnamed: str | None = None
    times: list[Time] = field(default_factory=list)
    extra: list[Mark] = field(default_factory=list)  # modifiers, for the span of the text

    @property
    def i(self) -> int:
        return min(mark.i for mark in self.marks)

    @property
    def j(self) -> int:
        return max(mark.j for mark in self.marks)

    @property
    def is_face(self) -> bool:
        return any(m.cue.startswith("AU") and m.cue not in GAZE_AUS for m in self.meanings)

    def gap(self, mark: Mark) -> int:
        return min(abs(mark.i - m.j) if mark.i >= m.j else abs(m.i - mark.j) for m in self.marks)


def parse(text: str) -> list[Statement]:
    """Statements in order of their place in `text`; text[s.start:s.end] == s.text. Never raises on any string."""
    persons = Persons()
    statements = []
    for tokens, question in sentences(text, tokenize(text)):
        if not question:
            statements += _Sentence(text, tokens).statements(persons)
    return sorted(statements, key=lambda s: (s.start, s.end, s.cue))


class _Sentence:
    def __init__(self, text: str, tokens: Sequence[Token]):
        self.text, self.tokens = text, tokens
        self.marks = scan(text, tokens)
        self.pieces = pieces(tokens, self.marks)
        negate(self.pieces)
        self.ends = [*(piece.i for piece in self.pieces[1:]), len(tokens)]
        self.used: set[int] = set()  # first tokens of marks that are already part of a cue

    def statements(self, persons: Persons) -> Iterator[Statement]:
        named = persons.read(self.tokens, self.marks)
        found = [cue for n in range(len(self.pieces)) for cue in self._of_piece(n)]
        found += self._across_pieces()
        found += self._defaults(found)
        by_piece: list[list[_Found]] = [[] for _ in self.pieces]
        for cue in sorted(found, key=lambda cue: (cue.i, cue.j)):
            by_piece[cue.piece].append(cue)
        for n, piece in enumerate(self.pieces):
            by_piece[n] = _settle_brackets(by_piece[n])
            self._modify(piece, n, by_piece)
        self._deny(by_piece)
        filled = {n for n, here in enumerate(by_piece) if here}
        for piece, piece_times, here in zip(self.pieces, times(self.pieces, filled), by_piece, strict=True):
            ends = any("ending" in mark.roles and not mark.negated for mark in piece.marks)
            for cue in here:
                cue.times = cue.times or ([_until(time) for time in piece_times] if ends else piece_times)
        yield from _merged(
            self.text,
            (
                statement
                for piece, here in zip(self.pieces, by_piece, strict=True)
                for cue in here
                if cue.denied or not piece.maybe
                for statement in self._finish(cue, self._persons(cue, named))
            ),
        )

    def _persons(self, cue: _Found, named: list) -> tuple[str | None, ...]:
        reach, last = cue.piece, min(len(self.pieces), cue.piece + REACH) - 1
        finite = self.pieces[cue.piece].finite
        while reach < last and not self.pieces[reach + 1].hard and not (finite and self.pieces[reach + 1].finite):
            reach += 1
        return persons_of(self.tokens, named, cue.i, cue.j, self.ends[cue.piece], self.ends[reach])

    # --- finding cues ---------------------------------------------------------------------------------------------------

    def _of_piece(self, n: int) -> list[_Found]:
        """Cues whose words all stand in piece n: joined parts and movements, codes, fixed phrases, quotes."""
        marks = self.pieces[n].marks
        found = []
        for mark in marks:
            part, notation = self._partner(mark, marks)
            if part is not None:
                found.append(self._joined(part, mark, notation, n))
        found = self._without_adverbs(_without_weak(found))
        for mark in marks:
            if mark.codes:
                found += [self._code(code, mark, n) for code in mark.codes]
            elif "cue" in mark.roles and mark.i not in self.used:
                found.append(_Found(meanings(mark.roles["cue"]), [mark], n, negated=mark.negated))
            elif "said" in mark.roles and any(token.text in SAY for token in self.tokens):
                found.append(_Found((Meaning("said"),), [mark], n, negated=mark.negated, quote=mark.roles["said"]))
            elif "language" in mark.roles and any(token.lemma in _TONGUE for token in self.tokens):
                found.append(_Found((Meaning("language"),), [mark], n, negated=mark.negated, quote=mark.roles["language"]))
            if mark.codes or "cue" in mark.roles:
                self.used.add(mark.i)
        return found

    def _movement(self, mark: Mark, marks: Sequence[Mark]) -> str | None:
        """The movement a mark can stand for; a bare "left" counts as a direction unless it belongs to the noun behind it."""
        side = mark.roles.get("side")
        if side in ("left", "right") and mark.j - mark.i == 1 and not _adjoins(mark, marks):
            return side
        return mark.roles.get("move")

    def _partner(self, mark: Mark, marks: Sequence[Mark]) -> tuple[Mark | None, str]:
        """The part that a movement belongs to: the nearest one for which the pair means something."""
        move = self._movement(mark, marks)
        best: tuple[int, Mark | None, str] = (_WINDOW, None, "")
        if move is None:
            return None, ""
        at = marks.index(mark)
        for part in marks[max(0, at - _WINDOW) : at + _WINDOW]:
            notation = frame(part.roles["part"], move) if "part" in part.roles and part is not mark else None
            gap = mark.i - part.j if mark.i >= part.j else part.i - mark.j
            if notation and gap < best[0]:
                best = (gap, part, notation)
        return best[1], best[2]

    def _joined(self, part: Mark, move: Mark, notation: str, n: int) -> _Found:
        self.used.update((part.i, move.i))
        found = _Found(meanings(notation), [part, move], n, negated=part.negated or move.negated)
        side = {"head_left": "tilt_left", "head_right": "tilt_right"}.get(notation)
        tilts = [m for m in self.pieces[n].marks if m.roles.get("move") == "tilt"]
        if side and tilts:
            found.meanings = (Meaning(side),)
            found.marks.append(tilts[0])
        return found

    def _without_adverbs(self, found: list[_Found]) -> list[_Found]:
        """ "Presses the lips tightly": where a part has a movement of its own, a word that can be a level is one."""
        plain = {cue.marks[0].i for cue in found if "level" not in cue.marks[1].roles}
        adverbs = [cue for cue in found if "level" in cue.marks[1].roles and cue.marks[0].i in plain]
        self.used.difference_update(cue.marks[1].i for cue in adverbs)
        return [cue for cue in found if cue not in adverbs]

    @staticmethod
    def _code(code: Code, mark: Mark, n: int) -> _Found:
        return _Found((Meaning(code.cue),), [mark], n, side=code.side, level=code.level, negated=mark.negated)

    def _across_pieces(self) -> list[_Found]:
        """Movements and parts that share a partner with a neighbour: "raised and drawn together", "raised brows and cheeks"."""
        found = []
        for n, piece in enumerate(self.pieces):
            own_cue = any("cue" in mark.roles or mark.codes for mark in piece.marks)
            moved = any(mark.i in self.used and "move" in mark.roles for mark in piece.marks)
            for mark in piece.marks:
                if mark.i in self.used or mark.j - mark.i == 1 and self.tokens[mark.i].text in _BOUND:
                    continue
                move = self._movement(mark, piece.marks)
                if move and not (own_cue and "level" in mark.roles):
                    found += self._shared(n, mark, lambda other, move=move: frame(other.roles.get("part", ""), move))
                elif "part" in mark.roles and mark.roles["part"] not in _DIRECTED and not moved:
                    part = mark.roles["part"]
                    found += self._shared(n, mark, lambda other, part=part: frame(part, other.roles.get("move", "")))
        return found

    def _shared(self, n: int, mark: Mark, meaning: Callable[[Mark], str | None]) -> list[_Found]:
        """The nearest mark of a neighbouring piece with which `mark` means something; parts look ahead first, movements back."""
        for k in self._neighbours(n, forward_first="part" in mark.roles):
            others = self.pieces[k].marks
            for other in reversed(others) if k < n else others:
                notation = meaning(other)
                if notation and not notation.startswith("?"):
                    self.used.add(mark.i)
                    negated = mark.negated or (other.negated and k > n)
                    return [_Found(meanings(notation), [mark], n, negated=negated)]
        return []

    def _neighbours(self, n: int, forward_first: bool) -> list[int]:
        ahead, back = [], []
        for k in range(n + 1, min(n + REACH, len(self.pieces))):
            if self.pieces[k].hard:
                break
            ahead.append(k)
        for k in range(n, max(n - REACH, 0), -1):
            if self.pieces[k].hard and self.pieces[k].separator not in _CONTRASTS:
                break
            back.append(k - 1)
        return ahead + back if forward_first else back + ahead

    def _defaults(self, found: Sequence[_Found]) -> list[_Found]:
        """Speaking and pausing mean something on their own where nothing is said of how."""
        voiced = {cue.piece for cue in found if any(m.cue in VOICE_CUES or m.cue in _SOUNDS for m in cue.meanings)}
        result = []
        for n, piece in enumerate(self.pieces):
            for mark in piece.marks:
                part = mark.roles.get("part")
                if part in ("speak", "pauses") and mark.i not in self.used and n not in voiced:
                    result.append(_Found((Meaning("speech" if part == "speak" else "pauses"),), [mark], n, negated=mark.negated))
        return result

    # --- modifiers ------------------------------------------------------------------------------------------------------

    def _modify(self, piece: Piece, n: int, by_piece: Sequence[list[_Found]]) -> None:
        """Gives levels, sides and bracketed times of a piece to its nearest cue, or to the last before ("a smile, lopsided")."""
        joins = n > 0 and (not piece.hard or piece.separator in _CONTRASTS)
        here = by_piece[n] or (by_piece[n - 1][-1:] if joins else [])
        faces = [cue for cue in here if cue.is_face]
        levels = [m for m in piece.marks if "level" in m.roles and m.i not in self.used and "null" not in m.roles]
        specific = [m for m in levels if self.tokens[m.i].text != "very"]
        for mark in sorted(specific or levels, key=lambda mark: min((cue.gap(mark) for cue in faces), default=0)):
            for cue in _nearest(faces, mark):
                cue.level = cue.level or mark.roles["level"]
                cue.extra += [mark] if by_piece[n] else []
        for mark in piece.marks:
            if "side" in mark.roles and mark.i not in self.used and self._is_side(mark, piece.marks):
                for cue in _nearest(faces, mark):
                    side = mark.roles["side"]
                    if {cue.side, side} == {"left", "right"}:
                        cue.side = "both"
                    elif cue.side in (None, "one"):
                        cue.side = side
                    cue.extra += [mark] if by_piece[n] else []
            if mark.time and mark.parens:
                for cue in here:
                    if not cue.times and cue.i < mark.i:
                        cue.times = [mark.time]
                        cue.extra.append(mark)
        if n and self.pieces[n - 1].marks and not by_piece[n - 1]:
            self._modify_from_before(n, faces)

    def _is_side(self, mark: Mark, marks: Sequence[Mark]) -> bool:
        """ "both" and "one" are sides only in front of what has sides; "both a smile and ..." is not."""
        return self.tokens[mark.i].text not in ("both", "one", "single") or mark.j - mark.i > 1 or _adjoins(mark, marks)

    def _modify_from_before(self, n: int, faces: Sequence[_Found]) -> None:
        """Modifiers that stand alone in the piece before: "the left and right brows", "a wide, toothy grin"."""
        before = [mark for mark in self.pieces[n - 1].marks if mark.i not in self.used]
        sides = [mark.roles.get("side") for mark in before if mark.roles.get("side") in ("left", "right")]
        for cue in faces:
            if sides and {cue.side, sides[-1]} == {"left", "right"}:
                cue.side = "one" if self.pieces[n].separator == "or" else "both"
            if self.pieces[n].separator == "," and before and "level" in before[-1].roles:
                cue.level = cue.level or before[-1].roles["level"]

    def _deny(self, by_piece: Sequence[list[_Found]]) -> None:
        for n, piece in enumerate(self.pieces):
            if not denied_behind(piece):
                continue
            targets = list(by_piece[n])
            k = n
            while k > 0 and n - k < REACH and (not by_piece[n] or not (self.pieces[k].hard or self.pieces[k - 1].finite)):
                k -= 1
                targets += by_piece[k]
                if by_piece[k] and not by_piece[n]:
                    break
            for cue in targets:
                cue.negated, cue.denied = not cue.negated, True

    def _finish(self, cue: _Found, persons: Sequence[str | None]) -> Iterator[Statement]:
        marks = [*cue.marks, *cue.extra]
        i, j = min(mark.i for mark in marks), max(mark.j for mark in marks)
        negators = [m.i for m in self.pieces[cue.piece].marks if m.roles.get("neg") in ("noun", "list", "verb") and m.i < i]
        i = negators[-1] if negators and cue.negated else i
        j += self._closes(i, j)
        start, end = self.tokens[i].start, self.tokens[j - 1].end
        for meaning in cue.meanings:
            base = Statement(
                self.text[start:end], start, end, modality(meaning.cue), meaning.cue,
                negated=cue.negated != meaning.negated,
                side=cue.side or meaning.side if meaning.cue.startswith("AU") and meaning.cue not in GAZE_AUS else None,
                level=meaning.level or (cue.level if meaning.cue.startswith("AU") and not meaning.negated else None),
                quote=cue.quote, misnamed=cue.misnamed,
            )  # fmt: skip
            for person in persons:
                for time in cue.times or [Time(0, 0)]:
                    yield replace(base, person=person, start_s=time.start_s, end_s=time.end_s, phase=time.phase)

    def _closes(self, i: int, j: int) -> int:
        """1 where the span opens a bracket that the next token closes."""
        opened = sum({"(": 1, ")": -1}.get(token.text, 0) for token in self.tokens[i:j])
        return int(opened > 0 and j < len(self.tokens) and self.tokens[j].text == ")")


def _until(time: Time) -> Time:
    """ "The smile fades at 3 s": it was there until then."""
    span = time.start_s is None or time.end_s not in (None, time.start_s)
    return time if span else replace(time, start_s=None, end_s=time.start_s)


def _adjoins(mark: Mark, marks: Sequence[Mark]) -> bool:
    """Whether a part, cue or code follows directly, perhaps behind a level or another side: "left brow", "left raised brow"."""
    at = marks.index(mark)
    end = mark.j
    for after in marks[at + 1 : at + 4]:
        if after.i != end:
            return False
        if after.codes or after.roles.keys() & {"part", "cue"}:
            return True
        end = after.j
    return False


def _nearest(cues: Sequence[_Found], mark: Mark) -> list[_Found]:
    """The cue next to a modifier, with those named by the same words."""
    if not cues:
        return []
    best = min(cues, key=lambda cue: (cue.gap(mark), cue.i))
    return [cue for cue in cues if cue.gap(mark) == best.gap(mark) and (cue.i, cue.j) == (best.i, best.j)]


def _without_weak(found: Sequence[_Found]) -> list[_Found]:
    """Drops vague readings of a part where a more exact one was found: "pulled down" is no plain "pulled"."""
    exact = {cue.marks[0].i for cue in found if not all(m.weak for m in cue.meanings)}  # the part comes first
    return [cue for cue in found if not all(m.weak for m in cue.meanings) or cue.marks[0].i not in exact]


def _settle_brackets(here: list[_Found]) -> list[_Found]:
    """Codes in brackets name the phrase before them: the same cue once. Where they disagree the code is meant, and misnamed."""
    coded = [cue for cue in here if cue.marks[0].codes and cue.marks[0].parens]
    words = [cue for cue in here if not cue.marks[0].codes and not cue.marks[0].parens]
    if not coded or not words:
        return here
    named = [cue for cue in words if cue.i < coded[0].i][-1:]
    if not named or coded[0].i - named[0].j > 6:
        return here
    told = [meaning.cue for meaning in named[0].meanings if meaning.cue.startswith("AU")]
    agree = any(_ALIKE.get(unit, unit) == _ALIKE.get(m.cue, m.cue) for unit in told for cue in coded for m in cue.meanings)
    for cue in coded:
        cue.misnamed = told[0] if told and not agree else None
        cue.negated = named[0].negated
        cue.side, cue.level = cue.side or named[0].side, cue.level or named[0].level
        cue.extra += named[0].marks
    return [cue for cue in here if cue is not named[0]]


def _merged(text: str, statements: Iterator[Statement]) -> list[Statement]:
    """One statement where neighbouring expressions name the same cue ("AU12, the lip corner puller")."""
    result: list[Statement] = []
    for new in statements:
        for n, old in enumerate(result[-12:], max(0, len(result) - 12)):
            if _same(old, new):
                result[n] = _union(text, old, new)
                break
        else:
            result.append(new)
    return result


def _same(a: Statement, b: Statement) -> bool:
    """Equal in cue, polarity and person, and not different in anything else."""
    fixed = (a.cue, a.negated, a.person, a.quote, a.misnamed) == (b.cue, b.negated, b.person, b.quote, b.misnamed)
    pairs = ((a.side, b.side), (a.level, b.level), ((a.start_s, a.end_s, a.phase), (b.start_s, b.end_s, b.phase)))
    nothing = (None, (None, None, None))
    return fixed and all(x == y or x in nothing or y in nothing for x, y in pairs)


def _union(text: str, a: Statement, b: Statement) -> Statement:
    timed = a if (a.start_s, a.end_s, a.phase) != (None, None, None) else b
    start, end = min(a.start, b.start), max(a.end, b.end)
    end += text[end : end + 1] == ")" and text.count("(", start, end) > text.count(")", start, end)
    return replace(
        a, text=text[start:end], start=start, end=end, side=a.side or b.side, level=a.level or b.level,
        start_s=timed.start_s, end_s=timed.end_s, phase=timed.phase,
    )  # fmt: skip
