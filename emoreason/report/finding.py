"""What a claim was held against: the time it speaks of, and the verdict with the measurement in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emoreason.perception.observation import Observation
from emoreason.scoring.statement import Statement

ClaimVerdict = Literal["supported", "contradicted", "unverifiable"]
# Seconds by which a stated time may miss the measured one: times are told with one decimal and onsets are soft.
POINT_TOLERANCE_S = 0.5
SPAN_TOLERANCE = 0.15  # of a stated span's length, at most POINT_TOLERANCE_S
_PHASES = {
    "start": (0.0, 1 / 3), "first_half": (0.0, 0.5), "middle": (1 / 3, 2 / 3), "second_half": (0.5, 1.0), "end": (2 / 3, 1.0),
    "throughout": (0.0, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """`start_s`/`end_s`: where the measurement that decided lies; None where nothing was measured."""

    verdict: ClaimVerdict
    measured: str | None = None
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Window:
    """The time a statement speaks of, in seconds of the clip. `stated`: the text names it; else it is the whole clip.

    loose: the text says when, not for how long ("at the beginning", "after 3 s"). whole: it claims all of it ("throughout").
    """

    start_s: float
    end_s: float
    stated: bool = False
    loose: bool = False
    whole: bool = False

    @property
    def tolerance_s(self) -> float:
        length = self.end_s - self.start_s
        return POINT_TOLERANCE_S if length == 0 else min(POINT_TOLERANCE_S, max(0.1, SPAN_TOLERANCE * length))

    def overlap(self, start_s: float, end_s: float, widen_s: float = 0.0) -> float:
        """Seconds shared with a span; negative where they are apart."""
        return min(self.end_s + widen_s, end_s) - max(self.start_s - widen_s, start_s)

    def holds(self, spans: Sequence[tuple[float, float]], momentary: bool = False) -> bool:
        """Whether spans fill enough of the window to say "it was so then": half of the shorter of window and longest span,
        and a quarter of the window ("throughout": three quarters of it); of a moment, a loose window and momentary
        units any overlap.
        """
        widen = 0.0 if self.whole or not self.stated else self.tolerance_s
        near = [(start, end) for start, end in spans if self.overlap(start, end, widen) >= 0]
        if not near or not self.stated:
            return bool(near)
        filled = sum(self.overlap(start, end, widen) for start, end in near)
        length = self.end_s - self.start_s
        if self.whole:
            return filled >= 0.75 * length
        if length == 0 or self.loose or momentary:
            return True
        longest = max(end - start for start, end in near)
        return filled >= max(0.5 * min(length, longest), 0.25 * length)

    def touches(self, spans: Sequence[tuple[float, float]]) -> bool:
        """Whether a span surely lies in the window, edges left out: enough to contradict "it was not so then"."""
        inner = -min(self.tolerance_s, 0.3 * (self.end_s - self.start_s)) if self.stated else 0.0
        return any(self.overlap(start, end, inner) >= 0 for start, end in spans)


def window(statement: Statement, observation: Observation) -> Window | None:
    """The statement's time in the clip, or None where it lies outside."""
    duration = observation.source.duration_s
    if statement.phase:
        first, last = _PHASES[statement.phase]
        whole = statement.phase == "throughout"
        return Window(first * duration, last * duration, stated=True, loose=not whole, whole=whole)
    if statement.start_s is None and statement.end_s is None:
        return Window(0.0, duration)
    start = 0.0 if statement.start_s is None else statement.start_s
    start = max(0.0, start + duration) if start < 0 else start
    end = duration if statement.end_s is None else statement.end_s
    if start > duration + POINT_TOLERANCE_S or end > duration + max(POINT_TOLERANCE_S, 0.5 * (end - start)) or end < start:
        return None
    loose = statement.start_s is None or statement.end_s is None
    return Window(min(start, duration), min(end, duration), stated=True, loose=loose)


def combine(findings: Sequence[Finding], every: bool) -> Finding:
    """Of several persons: `every` one must fulfil the statement, or any one."""
    order = ("contradicted", "unverifiable", "supported") if every else ("supported", "unverifiable", "contradicted")
    return min(findings, key=lambda finding: order.index(finding.verdict))
