"""Worker processes that may die: each has a pipe of its own, so that one killed at any moment costs the file it had, no more.

Library pools either lose every waiting task with a dead worker (`concurrent.futures`) or let workers share one pipe, which a
kill in mid-message leaves unusable (pebble 5.2).
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

_GRACE_S = 5.0  # from SIGTERM to SIGKILL
# glibc gives each thread a heap, and the decoders' and MediaPipe's many make them grow with every film (measured: a third more
# memory after 200 clips; with one heap: level). Pictures that come and go stay in it: to take pages from the system anew for
# every clip costs more (measured: a sixth of the time, by `malloc_trim` after each file). Other C libraries do not read these.
_ONE_HEAP = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),  # bytes; below, the heap
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),  # bytes that may lie free at its end
}


@dataclass(frozen=True)
class Died:
    """The worker ended before its task did. exit_code: of multiprocessing, negative for a signal. timed_out: it was stopped."""

    exit_code: int
    timed_out: bool


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    cores: frozenset[int] = frozenset()  # its own; empty: any
    task: Any = None
    since: float = 0.0  # of the monotonic clock
    ready: bool = False


class Pool:
    """`next_outcomes` gives (task, result or Died) as they come. A worker that ended is replaced when there is work for it."""

    def __init__(
        self,
        workers: int,
        function: Callable[[Any], Any],
        initializer: Callable[..., None],
        arguments: tuple,
        time_limit_s: float,
        threads: int = 1,
    ):
        """threads: of each numeric library in each worker. Workers that take all cores together get their own ones: MediaPipe's
        threads, which listen to nobody, hand frames from core to core otherwise (measured: 0.24 s of processor time a clip
        became 0.28 to 0.32)."""
        self.size, self.time_limit_s, self.threads = workers, time_limit_s, threads
        self._shares = _shares(workers, threads)
        self._made_of = (function, initializer, arguments)
        self._context = get_context("spawn")  # the networks' threads do not survive a fork
        self._workers: list[_Worker] = []

    @property
    def free(self) -> int:
        """Tasks that may be given now."""
        return self.size - len(self.busy)

    @property
    def busy(self) -> list[tuple[Any, float]]:
        """(task, seconds since it was given), the longest first."""
        now = time.monotonic()
        return sorted(((w.task, now - w.since) for w in self._workers if w.task is not None), key=lambda item: -item[1])

    @property
    def pipes(self) -> list[Connection]:
        """Those on which outcomes come, to wait for several pools at once."""
        return [worker.pipe for worker in self._workers if worker.task is not None]

    def give(self, task: Any) -> None:
        """To an idle worker, or a new one. Raises RuntimeError when none is free."""
        if not self.free:
            raise RuntimeError("all workers are busy")
        while True:
            worker = next((w for w in self._workers if w.task is None), None) or self._new()
            try:
                worker.pipe.send(task)
            except OSError:  # it died while it was idle: nothing is lost
                self._end(worker)
                continue
            worker.task, worker.since = task, time.monotonic()
            return

    def next_outcomes(self, timeout_s: float) -> list[tuple[Any, Any]]:
        """What came in within `timeout_s`, possibly nothing."""
        working: dict[Connection, _Worker] = {w.pipe: w for w in self._workers if w.task is not None}
        out = []
        for pipe in wait(list(working), min([timeout_s, *(self._left_s(w) for w in working.values())])):
            worker = working[pipe]
            try:
                out.append((worker.task, pipe.recv()))
                worker.task = None
            except (EOFError, OSError):
                task = worker.task
                out.append((task, Died(self._end(worker), timed_out=False)))
        for worker in [w for w in self._workers if w.task is not None and self._left_s(w) <= 0]:
            task = worker.task
            out.append((task, Died(self._end(worker), timed_out=True)))
        return out

    def _left_s(self, worker: _Worker) -> float:
        return max(0.0, worker.since + self.time_limit_s - time.monotonic())

    def _new(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, *self._made_of), name="emoreason-worker", daemon=True)
        with _environment(self.threads):
            process.start()
        theirs.close()  # so that the pipe ends when the worker does
        taken = {worker.cores for worker in self._workers}
        cores = next((share for share in self._shares if share not in taken), frozenset())
        if cores:
            with suppress(OSError):  # it is gone already: found when it is given something
                os.sched_setaffinity(process.pid, cores)
        self._workers.append(_Worker(process, ours, cores))
        return self._workers[-1]

    def _end(self, worker: _Worker) -> int:
        """Stop a worker for good; its exit code."""
        self._workers.remove(worker)
        worker.process.join(0.2)  # one that died is given time to be known as dead
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join(_GRACE_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()
        return worker.process.exitcode or 0

    def close(self) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in list(self._workers):
            self._end(worker)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _serve(pipe: Connection, function: Callable[[Any], Any], initializer: Callable[..., None], arguments: tuple) -> None:
    """Main loop of a worker process."""
    Thread(target=_end_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runner, which then ends us
    initializer(*arguments)
    while True:
        try:
            task = pipe.recv()
        except EOFError:  # the runner is gone
            return
        pipe.send(function(task))


def _end_with_parent() -> None:
    """A killed runner's worker must not go on writing into a folder that the next run may hold by then."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _shares(workers: int, threads: int) -> list[frozenset[int]]:
    """Cores of each worker, where all are taken and the system can tell; of one worker there is nothing to divide."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if workers < 2 or workers * threads != len(cores):
        return []
    return [frozenset(cores[start : start + threads]) for start in range(0, len(cores), threads)]


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Processes started meanwhile use that many threads in each of their libraries, and one heap."""
    wanted = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)) | _ONE_HEAP
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
