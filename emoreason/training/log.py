"""The log of a training: one JSON line per entry, and TensorBoard where it is installed."""

import json
import os
import time
from pathlib import Path

FILE = "log.jsonl"


class Log:
    """Appends to `folder/log.jsonl`; entries after step `step` are of a run that was killed and are dropped first.

    keep=False only remembers: of several processes one writes.
    """

    def __init__(self, folder: Path, step: int, keep: bool = True):
        self.history = [entry for entry in read(folder) if entry["step"] <= step]
        self.file = open(folder / FILE if keep else os.devnull, "w", encoding="utf-8")
        for entry in self.history:
            self._line(entry)
        self.board = _board(folder, step) if keep else None
        self.before_s = self.history[-1]["seconds"] if self.history else 0.0
        self.started = time.monotonic()
        self.loss = next((entry["loss"] for entry in reversed(self.history) if "loss" in entry), float("nan"))

    def write(self, step: int, values: dict[str, float]) -> None:
        seconds = self.before_s + time.monotonic() - self.started
        entry = {"step": step, "seconds": round(seconds, 3), **{name: float(value) for name, value in values.items()}}
        self.loss = values.get("loss", self.loss)
        self.history.append(entry)
        self._line(entry)
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def close(self) -> list[dict[str, float]]:
        """All entries of the training, those before an interruption too."""
        self.file.close()
        if self.board is not None:
            self.board.close()
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


def _board(folder: Path, step: int):
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:  # an extra: pip install 'emoreason[train]'
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
