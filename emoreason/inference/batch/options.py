"""What a batch run is asked to do."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Literal

import psutil

from emoreason import __version__
from emoreason.config import DEFAULT_MODEL, checkpoint_of
from emoreason.errors import ConfigError
from emoreason.machine import cores
from emoreason.perception.settings import PerceptionSettings
from emoreason.report import composer
from emoreason.report.writers import WRITERS

GIB = 1 << 30
WORKER_GIB = 1.5  # resident, of a worker with the landmarker and the speech model loaded
EXTRAS = tuple(name for name in WRITERS if name not in ("json", "parquet"))


@dataclass(frozen=True)
class Options:
    """formats: files per clip beside its report, below clips/<id>. frames: also write the frame tables.

    time_limit_s and memory_limit_gib are per file and per worker; a file that exceeds one fails alone. retries: of a file
    whose worker died or whose disk stumbled, not of one that cannot be read. threads: per worker and library. waiting: clips
    that may be measured and not yet judged by a model. server, served_model, runtime, build_graph: as in `from_pretrained`.
    """

    model: str = DEFAULT_MODEL
    perception: PerceptionSettings = field(default_factory=PerceptionSettings)
    formats: tuple[str, ...] = ()
    frames: bool = True
    workers: int | None = None
    threads: int | None = None
    time_limit_s: float = 3600.0
    memory_limit_gib: float | None = None
    retries: int = 1
    cache: bool = True
    waiting: int = 32
    server: str | None = None
    served_model: str | None = None
    runtime: Literal["onnx", "torch"] | None = None
    build_graph: bool = False

    def __post_init__(self) -> None:
        if unknown := [name for name in self.formats if name not in EXTRAS]:
            raise ConfigError(f"format '{unknown[0]}' is none of {', '.join(EXTRAS)} (reports are json, tables parquet)")
        for name in ("workers", "threads", "time_limit_s", "memory_limit_gib", "waiting"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ConfigError(f"{name} is {value}; give a positive number")
        if self.retries < 0:
            raise ConfigError(f"retries is {self.retries}; give 0 or more")
        if self.server is not None and not self.judges:
            raise ConfigError(f"'{self.model}' needs no server: name the export whose backbone the server runs")

    @property
    def judges(self) -> bool:
        """A model is to be loaded, or asked on a server."""
        return self.model != composer.NAME

    def digest(self) -> str:
        """Of everything that a result depends on. How many workers made it is not among that."""
        perception = {name: value for name, value in asdict(self.perception).items() if name != "threads"}
        says = [__version__, self.model, _weights(self.model), perception, sorted(self.formats), self.frames]
        if self.server is not None:
            says += [self.server, self.served_model]
        return hashlib.sha256(json.dumps(says, sort_keys=True).encode()).hexdigest()[:16]


def _weights(model: str) -> str | None:
    """Hash of a checkpoint's files, so that a model that was trained on, or came with a new version, makes new results."""
    folder = checkpoint_of(model)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json")):
        digest.update(file.relative_to(folder).as_posix().encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()


def default_workers() -> int:
    """As many as there are cores, as far as they fit into the memory that is free."""
    return max(1, min(cores(), int(0.8 * psutil.virtual_memory().available / (WORKER_GIB * GIB))))


def default_memory_gib(workers: int) -> float:
    """A worker's share of 80 % of the machine's memory."""
    return 0.8 * psutil.virtual_memory().total / GIB / workers
