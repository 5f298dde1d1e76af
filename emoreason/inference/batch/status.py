"""What a run is doing, or how it ended, read from outside while it goes on or long after."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoreason.errors import ConfigError
from emoreason.inference.batch import manifest as states
from emoreason.inference.batch.lock import held
from emoreason.inference.batch.manifest import Entry, Manifest
from emoreason.inference.batch.runner import RUN


@dataclass(frozen=True)
class Status:
    """state: running, finished, or interrupted (stopped or killed; a new run goes on). `run`: run.json as last written."""

    state: str
    done: int
    failed: int
    pending: int
    gone: int
    run: dict[str, Any]
    failures: list[Entry]

    def to_dict(self) -> dict[str, Any]:
        keys = ("path", "stage", "error", "message")
        listed = [{key: getattr(entry, key) for key in keys} for entry in self.failures]
        counts = {name: getattr(self, name) for name in ("state", "done", "failed", "pending", "gone")}
        return {**counts, "failures": listed, "run": self.run}


def status(out: Path) -> Status:
    """Raises ConfigError when `out` holds no batch run."""
    with Manifest(out, readonly=True) as manifest:
        counts, gone, failures = manifest.counts(), manifest.gone(), list(manifest.entries(states.FAILED))
    run = _run(out)
    state = "running" if held(out) else "finished" if run.get("state") == "finished" else "interrupted"
    return Status(state, counts[states.DONE], counts[states.FAILED], counts[states.PENDING], gone, run, failures)


def _run(out: Path) -> dict[str, Any]:
    try:
        return json.loads((out / RUN).read_text(encoding="utf-8"))
    except FileNotFoundError:  # killed within its first seconds
        return {}
    except ValueError as error:
        raise ConfigError(f"{out / RUN}: is damaged ({error}); run the batch again, finished files are not redone") from error
