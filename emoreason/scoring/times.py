"""Times in a text: "at 2.3 s", "from 2 to 4 seconds", "0:02-0:04", "in the first two seconds", "at the beginning"."""

from collections.abc import Sequence
from dataclasses import dataclass

from emoreason.scoring.statement import Phase
from emoreason.scoring.tokens import Token

_UNITS = {"s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 0.001, "milliseconds": 0.001}
_MINUTES = {"min": 60.0, "mins": 60.0, "minute": 60.0, "minutes": 60.0}
_NUMBERS = {
    word: float(n) for n, word in enumerate("zero one two three four five six seven eight nine ten eleven twelve".split())
} | {"fifteen": 15.0, "twenty": 20.0, "thirty": 30.0, "half": 0.5}
_POINT = frozenset("at around about near approximately roughly ca circa approx by @ t".split())
_BETWEEN = frozenset("from between during over within in spanning".split())
_STARTS = ("starting", "beginning", "starts", "begins", "started", "began", "start", "begin", "onset")
_ENDS = ("ending", "ends", "ended", "end", "offset")
_FILLERS = frozenset("the time at around about approximately roughly near".split())
_JOIN = frozenset("to and until till through - – — & ~".split())
_SINCE = frozenset("after since past".split())
_UNTIL = frozenset("before until till".split())
_DURATION = frozenset("for lasting lasts lasted within every under over".split())
_PEAK = frozenset("peak peaks peaking peaked apex apexes culminating".split())
_PHASES: dict[tuple[str, ...], Phase] = {}
for _phase, _words in {
    "start": (
        "at the beginning|at the start|in the beginning|at the very beginning|at the outset|from the start|"
        "from the beginning|initially|at first|early on|"
        "at the very start|"
        "in the opening|in the opening seconds|at the opening|from the outset|to begin with|near the beginning|near the start|"
        "towards the beginning|at clip start|at the onset of the clip|in the first third"
    ),
    "first_half": "in the first half|during the first half|first half",
    "middle": (
        "in the middle|midway|halfway through|halfway|at the midpoint|mid clip|around the middle|towards the middle|"
        "near the middle"
    ),
    "second_half": "in the second half|during the second half|second half|in the latter half|later on|the last half",
    "end": (
        "at the end|near the end|towards the end|toward the end|by the end|in the end|at the very end|at the close|"
        "in the final seconds|"
        "in the last seconds|in the closing seconds|in the last third|in the final third|at last"
    ),
    "throughout": (
        "throughout|all the time|the whole time|the entire time|constantly|continuously|the whole clip|the entire clip|"
        "for the entire clip|"
        "for the whole clip|all along|the entire video|the whole video|from start to end|from start to finish|"
        "from beginning to end|"
        "during the whole clip|the full clip|permanently|at all times"
    ),
}.items():
    for _phrase in _words.split("|"):
        _PHASES[tuple(_phrase.split())] = _phase
_LONGEST = max(map(len, _PHASES))


@dataclass(frozen=True)
class Time:
    """A time expression over tokens[i:j]. Negative seconds count from the end of the clip. `peak`: it names an apex."""

    i: int
    j: int
    start_s: float | None = None
    end_s: float | None = None
    phase: Phase | None = None
    peak: bool = False


def time_at(tokens: Sequence[Token], i: int) -> Time | None:
    """The time expression that begins at token i, or None. A duration ("for 3 s") is consumed as a Time without seconds."""
    return _phase(tokens, i) or _first_last(tokens, i) or _span_or_point(tokens, i)


def _word(tokens: Sequence[Token], i: int) -> str:
    return tokens[i].text if 0 <= i < len(tokens) else ""


def _phase(tokens: Sequence[Token], i: int) -> Time | None:
    words = tuple(token.text for token in tokens[i : i + _LONGEST])
    for n in range(len(words), 0, -1):
        if words[:n] in _PHASES:
            return Time(i, i + n, phase=_PHASES[words[:n]])
    return None


def _first_last(tokens: Sequence[Token], i: int) -> Time | None:
    """ "(in the) first two seconds" is 0-2 s, "the last 1.5 s" is -1.5 to the end."""
    j = i
    while _word(tokens, j) in ("in", "during", "within", "over", "for", "the"):
        j += 1
    which = _word(tokens, j)
    if which not in ("first", "last", "final", "opening", "closing", "initial"):
        return None
    value = _amount(tokens, j + 1)
    if value is None and _word(tokens, j + 1) in ("second", "few", "couple"):  # "the first second"
        value = (1.0, j + 2) if _word(tokens, j + 1) == "second" else None
    if value is None:
        return None
    seconds, k = value
    return Time(i, k, 0.0, seconds) if which in ("first", "opening", "initial") else Time(i, k, -seconds, None)


def _number(tokens: Sequence[Token], i: int) -> float | None:
    if i >= len(tokens):
        return None
    token = tokens[i]
    if token.kind == "number":
        return float(token.text)
    if token.kind == "clock":
        minutes, seconds = token.text.split(":")
        return 60 * float(minutes) + float(seconds)
    return _NUMBERS.get(token.text)


def _amount(tokens: Sequence[Token], i: int) -> tuple[float, int] | None:
    """Seconds and the next index of a number with its unit: "4.8 s", "two seconds", "1 min 5 s", "1:05"."""
    value = _number(tokens, i)
    if value is None:
        return None
    if tokens[i].kind == "clock":
        return value, i + 1 + (_word(tokens, i + 1) in _UNITS)
    unit = _word(tokens, i + 1)
    if unit in _MINUTES:
        rest = _number(tokens, i + 2)
        seconds = rest is not None and _word(tokens, i + 3) in _UNITS
        return (60 * value + rest, i + 4) if seconds else (60 * value, i + 2)
    return (value * _UNITS[unit], i + 2) if unit in _UNITS else None


def _point(tokens: Sequence[Token], i: int) -> tuple[float, int] | None:
    """As `_amount`, and "second 3", "the 3-second mark"."""
    i += _word(tokens, i) == "the"
    if _word(tokens, i) in ("second", "seconds", "sec", "t"):
        j = i + 1 + (_word(tokens, i + 1) in ("=", "#"))
        value = _number(tokens, j)
        return (value, j + 1 + (_word(tokens, j + 1) == "s")) if value is not None else None
    if _number(tokens, i) is not None and _word(tokens, i + 1) == "-" and _word(tokens, i + 2) in _UNITS:
        return _number(tokens, i), i + 3
    return _amount(tokens, i)


def _span_or_point(tokens: Sequence[Token], i: int) -> Time | None:
    j, lead, peak = i, "", False
    while _word(tokens, j) in _POINT | _BETWEEN | _SINCE | _UNTIL | _DURATION | _PEAK | {"up", "the", "time", *_STARTS, *_ENDS}:
        peak = peak or tokens[j].text in _PEAK
        lead = tokens[j].text if tokens[j].text not in _FILLERS or not lead else lead
        j += 1
    if lead == "up" and _word(tokens, j) == "to":
        lead, j = "until", j + 1
    span = _span(tokens, j, lead)
    if span:
        return Time(i, span[2], span[0], span[1], peak=peak)
    point = _point(tokens, j)
    if point is None:
        return None
    seconds, k = point
    if _word(tokens, k) in ("mark", "point"):
        k += 1
    elif lead in _DURATION or _word(tokens, k) in ("long", "later", "apart", "earlier", "duration"):
        return Time(i, k)
    if lead in _STARTS:
        return Time(i, k, seconds, None)
    if lead in _ENDS:
        return Time(i, k, None, seconds)
    if lead in _SINCE or lead == "from" and _word(tokens, k) in ("on", "onward", "onwards", "to"):
        return Time(i, k + (_word(tokens, k) in ("on", "onward", "onwards")), seconds, None)
    if lead in _UNTIL:
        return Time(i, k, None, seconds)
    return Time(i, k, seconds, seconds, peak=peak)


def _span(tokens: Sequence[Token], i: int, lead: str) -> tuple[float, float, int] | None:
    """Two times joined by "to", "and", "-"; the first may lack its unit. `lead` says how sure a unit-less pair is a time."""
    i += _word(tokens, i) == "the"
    first = _point(tokens, i)
    start, j = first if first else (_number(tokens, i), i + 1)
    j += _word(tokens, j) == "mark"
    joint = _word(tokens, j)
    if start is None or joint not in _JOIN or joint in ("and", "&") and lead != "between":
        return None
    j += 1
    j += _word(tokens, j) in ("the", "about", "around", "at")
    second = _point(tokens, j)
    if second is None and tokens[i].kind == "number" and "." in tokens[i].text and _number(tokens, j) is not None:
        second = (_number(tokens, j), j + 1)  # "2.1-4.8": two decimals joined are a time even without a unit
    if second is None or second[0] < start:
        return None
    return start, second[0], second[1] + (_word(tokens, second[1]) == "mark")
