"""The same work on a Ray cluster: Ray Data hands paths to actors, which decode, measure and write where they run; of a model a
second kind of actor judges what they measured, several clips at a time.

Every node must see the folder of media and the results under the same paths (a shared file system), and have the assets.
"""

import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import ray

from emoreason.errors import EnvironmentProblem
from emoreason.inference.batch import judging, worker
from emoreason.inference.batch.engines import Outcome, explained, supervised
from emoreason.inference.batch.judging import Measured
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.pool import Died, Pool
from emoreason.inference.batch.worker import Analysed, Failure, Job
from emoreason.media.source import Source

_TICK_S = 1.0
CONNECT_S = 10.0


class RayEngine:
    """Ray Data (`map_batches` over pools of actors). What a lost node had under way is done again by another.

    address: of a cluster; None = one on this machine, for this run. cpus: of each actor; gpus: of each that judges; judges: how
    many of them. What was measured waits below the results, which every node sees. Raises EnvironmentProblem when there is no
    cluster at `address`.
    """

    def __init__(self, options: Options, address: str | None = None, cpus: float = 1, gpus: float = 0, judges: int = 1):
        self.options = replace(options, cache=options.cache and not options.judges)
        self.gpus, self.judges = gpus, judges if options.judges else 0
        if not ray.is_initialized():
            try:
                _knock(address)
                ray.init(address=address or "local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
            except (OSError, ValueError) as error:
                raise EnvironmentProblem(f"no Ray cluster at '{address}' ({error}); start one with `ray start`") from error
        there = ray.cluster_resources().get("CPU", 1)
        self.cpus = min(cpus, there / (1 + self.judges))  # else a small cluster would wait for ever for its judge
        self.workers = options.workers or max(1, int(there / self.cpus) - self.judges)

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome] | list[tuple[str, float]]]:
        """One row per file, so that nothing waits for its neighbours and a lost row is one file."""
        jobs = {job.path: job for job in jobs}
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        rows = ray.data.from_items([_packed(job) for job in jobs.values()], override_num_blocks=len(jobs))
        found = rows.map_batches(Measurer if self.judges else Analyst, batch_size=1, **self._pool(self.workers, 0))
        if self.judges:
            together = max(1, min(self.options.waiting // 2, len(jobs)))
            found = found.map_batches(Judge, batch_size=together, **self._pool(self.judges, self.gpus))
        for row in found.iter_rows():
            outcome = _outcome(row["outcome"])
            yield jobs[outcome.path], outcome

    def _pool(self, size: int, gpus: float) -> dict[str, Any]:
        """Options of `map_batches`: so many actors, each made anew wherever there is room when its node is lost."""
        return {
            "fn_constructor_args": (self.options,),
            "num_cpus": self.cpus,
            "num_gpus": gpus,
            "compute": ray.data.ActorPoolStrategy(min_size=1, max_size=size, max_tasks_in_flight_per_actor=1),
            "max_restarts": -1,
            "max_task_retries": -1,
        }


def _knock(address: str | None) -> None:
    """Raises OSError when nobody listens at HOST:PORT: Ray itself takes minutes to find out."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), CONNECT_S).close()


class Analyst:
    """An actor. The file itself is read by a process of its own, so that one that kills it, or takes for ever, fails alone."""

    work = staticmethod(worker.analyse)

    def __init__(self, options: Options):
        self.options = options
        self.pool = supervised(options, 1, self.work)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        job = _unpacked(batch)
        if not os.path.isdir(job.out):
            text = f"{job.out}: is not there on node {os.uname().nodename}; results need a folder that every node shares"
            return {"outcome": [_line(Failure(job.path, "write", "EnvironmentProblem", text, fatal=True))]}
        return {"outcome": [_line(explained(job, _done(self.pool, job), self.options))]}

    def __del__(self) -> None:
        self.pool.close()


class Measurer(Analyst):
    """An actor that leaves the verdict to a Judge."""

    work = staticmethod(judging.measure)


class Judge:
    """An actor. The model is in a process of its own, for the same reason; clips whose judge died are judged one by one."""

    def __init__(self, options: Options):
        self.options = options
        self.pool = supervised(options, 1, judging.judge)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        found = [_outcome(line) for line in batch["outcome"]]
        waiting = [one for one in found if isinstance(one, Measured)]
        told = [one for one in found if not isinstance(one, Measured)] + (self._judged(waiting) if waiting else [])
        return {"outcome": [_line(outcome) for outcome in told]}

    def _judged(self, chunk: list[Measured]) -> list[Outcome]:
        found = _done(self.pool, tuple(chunk))
        if isinstance(found, Died):
            if len(chunk) > 1:
                return [outcome for one in chunk for outcome in self._judged([one])]
            found = [explained(chunk[0].job, found, self.options, "judge")]
        for one, outcome in zip(chunk, found, strict=True):
            if not (isinstance(outcome, Failure) and (outcome.transient or outcome.fatal)):
                judging.forget(one)
        return found

    def __del__(self) -> None:
        self.pool.close()


def _done(pool: Pool, task: Any) -> Any:
    """What a pool of one makes of it, or Died."""
    pool.give(task)
    while not (done := pool.next_outcomes(_TICK_S)):
        pass
    return done[0][1]


def _packed(job: Job) -> dict[str, bytes]:
    """Names may be bytes that are no text, which Arrow's strings refuse."""
    return {name: os.fsencode(value or "") for name, value in asdict(job).items()}


def _unpacked(batch: dict[str, np.ndarray]) -> Job:
    values = {name: os.fsdecode(bytes(column[0])) for name, column in batch.items()}
    return Job(**{**values, "known": values["known"] or None})


def _line(outcome: Outcome | Measured) -> str:
    return json.dumps({type(outcome).__name__: asdict(outcome)})  # ASCII: surrogates survive as escapes


def _outcome(line: str) -> Outcome | Measured:
    ((kind, values),) = json.loads(line).items()
    if kind == "Measured":
        values |= {"job": Job(**values["job"]), "source": Source(**values["source"])}
    return {"Analysed": Analysed, "Failure": Failure, "Measured": Measured}[kind](**values)
