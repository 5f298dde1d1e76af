"""Segments: the unit that gets its own verdict. A speech turn or a shot, or else 2 to 10 seconds; a short clip is one segment."""

from dataclasses import dataclass, replace

import numpy as np

from emoreason.perception.observation import Cue, Observation

SHORTEST_S, LONGEST_S = 2.0, 10.0
PAUSE_S = 0.3  # a shorter silence does not end a turn


@dataclass(frozen=True)
class Segment:
    """A stretch of the clip, seconds."""

    start_s: float
    end_s: float

    def overlap(self, start_s: float, end_s: float) -> float:
        """Seconds shared with a span."""
        return max(0.0, min(self.end_s, end_s) - max(self.start_s, start_s))

    def holds(self, cue: Cue) -> bool:
        """A cue belongs to a segment if it peaks there or fills half of it; one that only reaches in belongs to its neighbour."""
        peaks = self.start_s <= cue.apex_s <= self.end_s
        return peaks or self.overlap(cue.start_s, cue.end_s) > (self.end_s - self.start_s) / 2

    def part_of(self, cue: Cue) -> Cue:
        """The cue as far as it lies in this segment."""
        start, end = max(cue.start_s, self.start_s), min(cue.end_s, self.end_s)
        return replace(cue, start_s=start, end_s=end, apex_s=min(max(cue.apex_s, start), end))


def segments(observation: Observation) -> list[Segment]:
    """Cover the clip without gaps: cut at shot boundaries and in the middle of pauses, join what is shorter than
    SHORTEST_S with its shorter neighbour, and split what is longer than LONGEST_S into equal parts."""
    end = observation.source.duration_s
    if end <= LONGEST_S and not observation.cuts_s:
        return [Segment(0.0, end)]
    bounds = sorted({0.0, end, *(t for t in (*observation.cuts_s, *_pauses(observation)) if 0 < t < end)})
    bounds = _joined(bounds)
    pieces: list[Segment] = []
    for start, stop in zip(bounds, bounds[1:], strict=False):
        parts = max(1, int(np.ceil((stop - start) / LONGEST_S)))
        edges = np.linspace(start, stop, parts + 1).round(3)
        pieces += [Segment(float(a), float(b)) for a, b in zip(edges, edges[1:], strict=False)]
    return pieces


def _pauses(observation: Observation) -> list[float]:
    spans = observation.voice.spans if observation.voice else ()
    return [(end + start) / 2 for (_, end), (start, _) in zip(spans, spans[1:], strict=False) if start - end >= PAUSE_S]


def _joined(bounds: list[float]) -> list[float]:
    """Drop inner bounds until no piece is shorter than SHORTEST_S (a clip shorter than that stays whole)."""
    bounds = list(bounds)
    while len(bounds) > 2:
        lengths = np.diff(bounds)
        shortest = int(np.argmin(lengths))
        if lengths[shortest] >= SHORTEST_S:
            break
        left = lengths[shortest - 1] if shortest else np.inf
        right = lengths[shortest + 1] if shortest + 1 < len(lengths) else np.inf
        del bounds[shortest if left <= right else shortest + 1]
    return bounds
