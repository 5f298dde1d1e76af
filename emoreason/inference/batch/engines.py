"""Engines: who analyses the files of a run. Each takes jobs and gives one outcome per job, as they come."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from emoreason.inference.batch import worker
from emoreason.inference.batch.options import Options, default_memory_gib, default_workers
from emoreason.inference.batch.pool import Died, Pool
from emoreason.inference.batch.worker import Analysed, Failure, Job
from emoreason.machine import cores

Outcome = Analysed | Failure
TICK_S = 0.5


class Engine(Protocol):
    """`workers`: how many files are under way at a time."""

    workers: int

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome] | list[tuple[str, float]]]:
        """(job, outcome) of every job in any order; in between, now and then, what is under way as (path, seconds)."""


class LocalEngine:
    """Processes of this machine. A file is handed out when a worker is free, so memory does not depend on the folder."""

    def __init__(self, options: Options):
        self.options, self.workers = options, options.workers or default_workers()

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome] | list[tuple[str, float]]]:
        queue = deque(jobs)
        with supervised(self.options, min(self.workers, max(len(queue), 1))) as pool:
            while queue or pool.busy:
                came = pool.next_outcomes(TICK_S) if pool.busy else []
                while queue and pool.free:  # nobody waits for the books
                    pool.give(queue.popleft())
                for job, outcome in came:
                    yield job, explained(job, outcome, self.options)
                yield [(job.path, seconds) for job, seconds in pool.busy]


def supervised(options: Options, workers: int, function: Callable[[Any], Any] = worker.analyse) -> Pool:
    """Workers that share the machine's cores and memory."""
    threads = options.threads or max(1, cores() // workers)
    given = replace(options, perception=replace(options.perception, threads=threads))
    return limited(given, function, workers, threads, workers)


def limited(options: Options, function: Callable[[Any], Any], workers: int, threads: int, processes: int) -> Pool:
    """Workers for `function` that end with this process, and by their own limits. processes: how many share the memory."""
    memory = options.memory_limit_gib or default_memory_gib(processes)
    return Pool(workers, function, worker.start, (options, memory, os.getpid()), options.time_limit_s, threads)


def explained(job: Job, outcome: Outcome | Died, options: Options, stage: str = "analyse") -> Outcome:
    """Why a worker ended in the middle of a file, where it did."""
    if not isinstance(outcome, Died):
        return outcome
    if outcome.timed_out:
        text = f"took longer than the limit of {options.time_limit_s:g} s and was stopped"
        return Failure(job.path, stage, "TimeLimit", text)
    if outcome.exit_code == worker.OVER_MEMORY:
        return Failure(job.path, stage, "MemoryLimit", "needed more memory than a worker may have and was stopped")
    how = f"signal {-outcome.exit_code}" if outcome.exit_code < 0 else f"exit code {outcome.exit_code}"
    return Failure(job.path, stage, "WorkerDied", f"the process that read this file ended ({how})", transient=True)
