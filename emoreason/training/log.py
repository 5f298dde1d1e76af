"""The log of a training: one JSON line per entry, and what accelerate's trackers make of them where they are asked for."""

import json
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from emoreason.errors import ConfigError

TRACKERS = ("tensorboard", "wandb")
FILE = "log.jsonl"


class Log:
    """Appends to `folder/log.jsonl`; entries after step `step` are of a run that was killed and are dropped first.

    keep=False only remembers: of several processes one writes. track: names of TRACKERS that are told, too; TensorBoard writes
    into `folder`, wandb sends to where its own settings say. Raises ConfigError for one that is not installed.
    """

    def __init__(self, folder: Path, step: int, keep: bool = True, track: Sequence[str] = ()):
        self.history = [entry for entry in read(folder) if entry["step"] <= step]
        self.file = open(folder / FILE if keep else os.devnull, "w", encoding="utf-8")
        for entry in self.history:
            self._line(entry)
        self.trackers = [_tracker(name, folder, step) for name in track] if keep else []
        self.before_s = self.history[-1]["seconds"] if self.history else 0.0
        self.started = time.monotonic()
        self.loss = next((entry["loss"] for entry in reversed(self.history) if "loss" in entry), float("nan"))

    def write(self, step: int, values: dict[str, float]) -> None:
        seconds = self.before_s + time.monotonic() - self.started
        entry = {"step": step, "seconds": round(seconds, 3), **{name: float(value) for name, value in values.items()}}
        self.loss = values.get("loss", self.loss)
        self.history.append(entry)
        self._line(entry)
        for tracker in self.trackers:
            tracker.log(values, step)

    def close(self) -> list[dict[str, float]]:
        """All entries of the training, those before an interruption too."""
        self.file.close()
        for tracker in self.trackers:
            tracker.finish()
        return self.history

    def _line(self, entry: dict[str, float]) -> None:
        self.file.write(json.dumps(entry) + "\n")
        self.file.flush()


def read(folder: Path) -> list[dict[str, float]]:
    """Entries of `folder/log.jsonl`, without a last line that a kill cut off; none where there is no log."""
    file = folder / FILE
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]  # what is whole ends in a newline


def phases(folder: Path) -> dict[str, list[dict[str, float]]]:
    """The logs of a stage, by phase: its own, named "", and those of the folders within."""
    found = {"": read(folder)} | {inner.name: read(inner) for inner in sorted(folder.glob("*/"))}
    return {name: entries for name, entries in found.items() if entries}


def _tracker(name: str, folder: Path, step: int):
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    if find_spec(name) is None:
        raise ConfigError(f"schedule: track names {name}, which is not installed: pip install {name}")
    options = {"logging_dir": folder, "purge_step": step + 1} if name == "tensorboard" else {}
    tracker = LOGGER_TYPE_TO_CLASS[name](name if options else folder.parent.name, **options)
    tracker.start()
    return tracker
