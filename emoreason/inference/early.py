"""Early verdicts: what the largest face of each stretch of film shows, told while the film is still being read.

They are provisional: of one face alone, two looks a second, no voice, no words. The report does not depend on them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from emoreason.inference.judges.judge import Judge
from emoreason.media.clip import Frame
from emoreason.perception.landmarker import Meshes
from emoreason.perception.looks import Look, look_at

STRETCH_S = 5.0
LOOKS_S = 0.5  # between two looks


@dataclass(frozen=True)
class EarlyVerdict:
    """Provisional. emotion: None where none stands out. probabilities: of every emotion, by the face alone."""

    start_s: float
    end_s: float
    emotion: str | None
    probabilities: dict[str, float]


OnSegment = Callable[[EarlyVerdict], None]


def told_early(verdicts: Sequence[EarlyVerdict]) -> str:
    """In one line; stretches that show the same are one."""
    spans: list[tuple[str, float, float]] = []
    for one in verdicts:
        label = one.emotion or "nothing clear"
        if spans and spans[-1][0] == label:
            spans[-1] = (label, spans[-1][1], one.end_s)
        else:
            spans.append((label, one.start_s, one.end_s))
    return "so far, provisionally: " + ", ".join(f"{label} ({start_s:.0f}–{end_s:.0f} s)" for label, start_s, end_s in spans)


class EarlyVerdicts:
    """`look` takes frames in the order of time; `told` hears of each stretch from a thread of this object's own. To be closed."""

    def __init__(self, judge: Callable[[], Judge], told: OnSegment):
        self._judge, self._told = judge, told
        self._pool = ThreadPoolExecutor(1, "emoreason-early")
        self._looks: list[Look] = []
        self._next_s = self._start_s = 0.0
        self._told_before: Future | None = None

    def look(self, frame: Frame, meshes: Meshes) -> None:
        """Raises what `told` raised."""
        now = frame.time_s
        if now >= self._start_s + STRETCH_S:
            self._tell(now)
        if not len(meshes) or now < self._next_s:
            return
        self._next_s = now + LOOKS_S
        self._looks.append(look_at(frame, meshes))

    def close(self, end_s: float | None = None) -> None:
        """`end_s`: what has not been told yet is a stretch up to there. Without, it is dropped: something else went wrong."""
        try:
            if end_s is not None:
                self._tell(end_s)
        finally:
            self._pool.shutdown(cancel_futures=end_s is None)

    def _tell(self, end_s: float) -> None:
        looks, start_s = self._looks, self._start_s
        self._looks, self._start_s = [], end_s
        if self._told_before is not None and self._told_before.done():
            self._told_before.result()  # raises what went wrong
        if looks:
            self._told_before = self._pool.submit(self._judged, looks, start_s, end_s)

    def _judged(self, looks: list[Look], start_s: float, end_s: float) -> None:
        found = self._judge().glance(looks)
        if found is not None:
            emotion, probabilities = found
            self._told(EarlyVerdict(start_s, end_s, emotion, probabilities))
