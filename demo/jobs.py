"""A piece of heavy work in a thread of its own: what it tells is handed out as it comes, and it can really be stopped."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from emoreason.errors import EmoReasonError
from emoreason.inference.early import EarlyVerdict, OnSegment

Work = Callable[[Callable[..., None], Callable[[int, str], None], OnSegment], Any]  # (progress, on_text, on_segment) -> result
_TELL_S = 0.3  # the browser and the work share the processor: every picture of the state costs the work time
_STAGES = ("faces", "voice", "words", "explanation")


class Stopped(Exception):
    """Raised inside the work, at its next sign of life, once somebody wants it to end."""


@dataclass
class News:
    """How far a job is. stages: name -> share done, None = under way with unknown end. early: provisional verdicts. text: what
    was written so far."""

    stages: dict[str, float | None] = field(default_factory=dict)
    early: list[EarlyVerdict] = field(default_factory=list)
    text: str = ""
    result: Any = None
    error: str | None = None
    stopped: bool = False

    @property
    def over(self) -> bool:
        return self.result is not None or self.error is not None or self.stopped


class Job:
    """Starts at once. Iterate `news()` until one is over; `stop()` ends the work from any thread."""

    def __init__(self, work: Work):
        self._stop = threading.Event()
        self._signs: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, args=(work,), name="emoreason-demo", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, timeout_s: float) -> bool:
        """Whether the work has ended within that time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def news(self) -> Iterator[News]:
        """The latest state whenever there is something new; the last one is over. Closing the iterator stops the work."""
        news, told = News(), 0.0
        try:
            while not news.over:
                self._take(self._signs.get(), news)
                if news.over or time.monotonic() - told >= _TELL_S:
                    told = time.monotonic()
                    yield news
        finally:
            self.stop()

    def _take(self, sign: tuple, news: News) -> None:
        kind, *values = sign
        if kind == "progress":
            stage, done, total = values
            news.stages[stage] = min(done / total, 1.0) if total else None
        elif kind == "text":
            news.text += values[0]
        elif kind == "early":
            news.early.append(values[0])
        elif kind == "result":
            news.stages = dict.fromkeys(news.stages, 1.0)
            news.result = values[0]
        elif kind == "error":
            news.error = values[0]
        else:
            news.stopped = True

    def _run(self, work: Work) -> None:
        try:
            self._signs.put(("result", work(self._progress, self._text, self._segment)))
        except Stopped:
            self._signs.put(("stopped",))
        except (EmoReasonError, OSError, ValueError) as error:
            self._signs.put(("error", str(error) or type(error).__name__))
        except Exception as error:  # shown as it is: the page must not hang because of a surprise
            self._signs.put(("error", f"unexpected {type(error).__name__}: {error}"))

    def _progress(self, stage: str, done: float, total: float | None) -> None:
        if self._stop.is_set():
            raise Stopped
        self._signs.put(("progress", stage, done, total))

    def _text(self, _: int, text: str) -> None:
        if self._stop.is_set():
            raise Stopped
        self._signs.put(("text", text))

    def _segment(self, verdict: EarlyVerdict) -> None:
        self._signs.put(("early", verdict))


def stage_names(stages: dict[str, float | None]) -> list[str]:
    """Those under way in the order in which they come."""
    return sorted(stages, key=lambda name: _STAGES.index(name) if name in _STAGES else len(_STAGES))
