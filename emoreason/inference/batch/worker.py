"""What a worker process does: one file at a time, from path to result files. It dies with its runner and by its own limits."""

import errno
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from emoreason.errors import AssetError, EmoReasonError, EnvironmentProblem
from emoreason.inference.batch.options import GIB, Options
from emoreason.inference.batch.results import identity, is_written, write

OVER_MEMORY, ORPHANED = 86, 87  # exit codes of a worker that ended itself
WATCH_S = 0.25
_TRANSIENT = {
    errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT,
}  # fmt: skip
_FATAL = {errno.ENOSPC, errno.EROFS, errno.EDQUOT}  # true of every file that follows

_options = Options()
_reasoner = None  # made with the first file: its networks stay loaded


@dataclass(frozen=True)
class Job:
    """One file. `known` is the id of the result it has, if its settings have not changed since."""

    folder: str
    path: str
    out: str
    known: str | None = None


@dataclass(frozen=True)
class Analysed:
    """The result lies on disk. `unchanged`: it lay there already."""

    path: str
    id: str
    sha256: str
    seconds: float
    unchanged: bool = False


@dataclass(frozen=True)
class Failure:
    """transient: another try may succeed. fatal: no other file can succeed either."""

    path: str
    stage: str
    error: str
    message: str
    transient: bool = False
    fatal: bool = False


def start(options: Options, memory_gib: float, runner: int) -> None:
    """First act of a worker."""
    global _options
    _options = options
    threading.Thread(target=_watch, args=(int(memory_gib * GIB), runner), daemon=True, name="emoreason-watch").start()


def _watch(limit: int, runner: int) -> None:
    """Native code can neither be interrupted nor asked, so a worker over its limit, or without a runner, simply ends."""
    process = psutil.Process()
    while True:
        if os.getppid() != runner:
            os._exit(ORPHANED)
        if process.memory_info().rss > limit:
            os._exit(OVER_MEMORY)
        time.sleep(WATCH_S)


def analyse(job: Job) -> Analysed | Failure:
    """Never raises: what went wrong is the outcome."""
    started, stage = time.perf_counter(), "open"
    try:
        clip = opened(job)
        sha256 = clip.source.sha256
        name = identity(job.path, sha256)
        if is_done(job, name):
            return Analysed(job.path, name, sha256, 0.0, unchanged=True)
        stage = "load"
        loaded = reasoner()
        stage = "analyse"
        report = loaded(clip)
        stage = "write"
        write(report, Path(job.out), name, _options)
    except Exception as error:  # one of thousands: listed with its reason, and the rest goes on
        return failure(job.path, stage, error)
    return Analysed(job.path, name, sha256, time.perf_counter() - started)


def options() -> Options:
    """Of this worker."""
    return _options


def opened(job: Job):
    """Its Clip. Raises MediaError."""
    from emoreason.media import Clip

    return Clip(os.path.join(job.folder, job.path))


def is_done(job: Job, name: str) -> bool:
    """The result it has, `name`, is of the same content and settings."""
    return job.known == name and is_written(Path(job.out), name)


def reasoner():
    """Loaded with the first file."""
    global _reasoner
    if _reasoner is None:
        from emoreason.inference.reasoner import EmotionReasoner

        _reasoner = EmotionReasoner.from_pretrained(
            _options.model,
            settings=_options.perception,
            cache=_options.cache,
            server=_options.server,
            served_model=_options.served_model,
            runtime=_options.runtime,
            build_graph=_options.build_graph,
        )
    return _reasoner


def failure(path: str, stage: str, error: Exception) -> Failure:
    """What went wrong with a file, and whether another try, or another file, can fare better."""
    code = error.errno if isinstance(error, OSError) else None
    expected = isinstance(error, EmoReasonError | OSError)
    message = " ".join(str(error).split()) or type(error).__name__
    return Failure(
        path,
        stage,
        type(error).__name__,
        message if expected else f"unexpected {type(error).__name__}: {message}",
        transient=code in _TRANSIENT or isinstance(error, MemoryError),
        fatal=stage == "load" or isinstance(error, AssetError | EnvironmentProblem) or (stage == "write" and code in _FATAL),
    )
