"""What belongs to one open page: its job and its last report. Gone when the page is closed, or after an hour of silence."""

import threading
import time
from dataclasses import dataclass, field

from emoreason.report.emotion_report import EmotionReport
from emoreason.report.schema import Explanation

from .jobs import Job

IDLE_S = 3600.0


@dataclass
class Session:
    job: Job | None = None
    report: EmotionReport | None = None
    model: str | None = None
    talk: list[tuple[str, Explanation | str]] = field(default_factory=list)  # questions; answers, or what came instead
    used: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        if self.job is not None:
            self.job.stop()
        self.report = None


class Sessions:
    """By the hash that Gradio gives each open page."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, name: str) -> Session:
        with self._lock:
            for idle in [key for key, one in self._sessions.items() if time.monotonic() - one.used > IDLE_S and key != name]:
                self._sessions.pop(idle).close()
            session = self._sessions.setdefault(name, Session())
            session.used = time.monotonic()
            return session

    def close(self, name: str) -> None:
        with self._lock:
            session = self._sessions.pop(name, None)
        if session is not None:
            session.close()
