"""The report as annotation tiers, for ELAN and Praat: named rows of labelled intervals that never overlap within a row."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emoreason.labels.action_units import level
from emoreason.report.schema import Claim, PersonReport, ReportData
from emoreason.report.writers.text import plain

SHORTEST_S = 0.001  # ELAN counts milliseconds, and neither program takes an interval without length
_TOUCH_S = 0.02  # overlaps up to this come from rounding or smoothing: the earlier interval is cut


@dataclass(frozen=True)
class Interval:
    """A labelled stretch of a tier, seconds."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Tier:
    """A named row of intervals that do not overlap."""

    name: str
    participant: str | None
    intervals: tuple[Interval, ...]


def tiers_of(report: ReportData) -> list[Tier]:
    """Verdicts, then per person course, emotion, speaking and each action unit with an event, then voice cues, words and claims.

    Rows without an interval are left out. Intervals that overlap go to further rows ("claims 2").
    """
    end_s = end_of(report)
    return [tier for name, person, spans in _named(report) for tier in _rows(name, person, spans, end_s)]


def end_of(report: ReportData) -> float:
    """Length of the annotated time, never 0: a picture gets one shortest interval."""
    return round(max(report.source.duration_s, SHORTEST_S), 3)


def _named(report: ReportData) -> Iterator[tuple[str, str | None, list[Interval]]]:
    yield "verdict", None, [Interval(s.start_s, s.end_s, s.verdict.label or "no verdict") for s in report.segments]
    for person in report.people:
        yield from _person(person)
    cues = report.voice.cues if report.voice else []
    for cue in dict.fromkeys(c.cue for c in cues):
        spans = [Interval(c.start_s, c.end_s, f"{c.level} {c.value:g} {c.unit}") for c in cues if c.cue == cue]
        yield f"voice {cue}", report.voice.person if report.voice else None, spans
    if report.words:
        yield "words", None, [Interval(w.start, w.end, w.text) for w in report.words.segments]
    yield "claims", None, [_claim(claim, end_of(report)) for claim in report.explanation.claims]


def _person(person: PersonReport) -> Iterator[tuple[str, str, list[Interval]]]:
    who = person.person
    yield f"{who} course", who, [Interval(e.start_s, e.end_s, e.emotion) for e in person.course or ()]
    yield f"{who} emotion", who, [Interval(e.start_s, e.end_s, e.emotion) for e in person.emotions_over_time]
    yield f"{who} speaking", who, [Interval(s.start_s, s.end_s, "speaking") for s in person.speaking]
    for unit in person.action_units:
        side = f" {unit.side}" if unit.side in ("left", "right") else ""
        spans = [Interval(e.onset_s, e.offset_s, f"{level(e.peak) or 'trace'} {e.peak:.2f}{side}") for e in unit.events]
        yield f"{who} {unit.au} {unit.name}", who, spans


def _claim(claim: Claim, end_s: float) -> Interval:
    start = 0.0 if claim.start_s is None else claim.start_s
    return Interval(start, end_s if claim.end_s is None else claim.end_s, f"{claim.verdict}: {claim.text}")


def _rows(name: str, participant: str | None, spans: Iterable[Interval], end_s: float) -> Iterator[Tier]:
    rows: list[list[Interval]] = []
    for span in sorted((_fit(span, end_s) for span in spans), key=lambda s: (s.start_s, s.end_s)):
        row = next((row for row in rows if _follows(row[-1], span)), None)
        if row is None:
            rows.append([span])
            continue
        before = row[-1]
        row[-1] = Interval(before.start_s, min(before.end_s, span.start_s), before.text)
        row.append(span)
    for n, row in enumerate(rows, start=1):
        yield Tier(plain(name if n == 1 else f"{name} {n}"), participant, tuple(row))


def _follows(before: Interval, span: Interval) -> bool:
    """`span` fits in the row after `before`, which may lose up to _TOUCH_S but never all of its length."""
    return before.end_s - span.start_s <= _TOUCH_S and span.start_s - before.start_s >= SHORTEST_S


def _fit(span: Interval, end_s: float) -> Interval:
    """Inside 0..end_s, whole milliseconds, at least the shortest length."""
    start = min(max(round(span.start_s, 3), 0.0), round(end_s - SHORTEST_S, 3))
    end = min(max(round(span.end_s, 3), round(start + SHORTEST_S, 3)), end_s)
    return Interval(start, end, plain(span.text))
