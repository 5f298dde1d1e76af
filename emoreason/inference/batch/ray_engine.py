"""The same work on a Ray cluster: Ray Data hands paths to actors, which decode, analyse and write where they run.

Every node must see the folder of media and the results under the same paths (a shared file system), and have the assets.
"""

import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import ray

from emoreason.errors import EnvironmentProblem
from emoreason.inference.batch.engines import Outcome, explained, supervised
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.worker import Analysed, Failure, Job

_TICK_S = 1.0
CONNECT_S = 10.0


class RayEngine:
    """Ray Data (`map_batches` over a pool of actors). What a lost node had under way is done again by another.

    address: of a cluster; None = one on this machine, for this run. cpus, gpus: of each actor. Raises EnvironmentProblem when
    there is no cluster at `address`. Here a model is loaded by every actor and judges each file for itself.
    """

    def __init__(self, options: Options, address: str | None = None, cpus: float = 1, gpus: float = 0):
        self.options, self.cpus, self.gpus = options, cpus, gpus
        if not ray.is_initialized():
            try:
                _knock(address)
                ray.init(address=address or "local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
            except (OSError, ValueError) as error:
                raise EnvironmentProblem(f"no Ray cluster at '{address}' ({error}); start one with `ray start`") from error
        self.workers = options.workers or max(1, int(ray.cluster_resources().get("CPU", 1) / cpus))

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome] | list[tuple[str, float]]]:
        """One row per file, so that nothing waits for its neighbours and a lost row is one file."""
        jobs = {job.path: job for job in jobs}
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        rows = ray.data.from_items([_packed(job) for job in jobs.values()], override_num_blocks=len(jobs))
        analysed = rows.map_batches(
            Analyst,
            fn_constructor_args=(self.options,),
            batch_size=1,
            num_cpus=self.cpus,
            num_gpus=self.gpus,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self.workers, max_tasks_in_flight_per_actor=1),
            max_restarts=-1,
            max_task_retries=-1,
        )
        for row in analysed.iter_rows():
            outcome = _outcome(row["outcome"])
            yield jobs[outcome.path], outcome


def _knock(address: str | None) -> None:
    """Raises OSError when nobody listens at HOST:PORT: Ray itself takes minutes to find out."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if port.isdigit():
        socket.create_connection((host, int(port)), CONNECT_S).close()


class Analyst:
    """An actor. The file itself is read by a process of its own, so that one that kills it, or takes for ever, fails alone."""

    def __init__(self, options: Options):
        self.options = options
        self.pool = supervised(options, 1)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[str]]:
        job = _unpacked(batch)
        if not os.path.isdir(job.out):
            text = f"{job.out}: is not there on node {os.uname().nodename}; results need a folder that every node shares"
            return {"outcome": [_line(Failure(job.path, "write", "EnvironmentProblem", text, fatal=True))]}
        self.pool.give(job)
        done: list[Any] = []
        while not done:
            done = self.pool.next_outcomes(_TICK_S)
        return {"outcome": [_line(explained(job, done[0][1], self.options))]}

    def __del__(self) -> None:
        self.pool.close()


def _packed(job: Job) -> dict[str, bytes]:
    """Names may be bytes that are no text, which Arrow's strings refuse."""
    return {name: os.fsencode(value or "") for name, value in asdict(job).items()}


def _unpacked(batch: dict[str, np.ndarray]) -> Job:
    values = {name: os.fsdecode(bytes(column[0])) for name, column in batch.items()}
    return Job(**{**values, "known": values["known"] or None})


def _line(outcome: Outcome) -> str:
    return json.dumps({type(outcome).__name__: asdict(outcome)})  # ASCII: surrogates survive as escapes


def _outcome(line: str) -> Outcome:
    ((kind, values),) = json.loads(line).items()
    return {"Analysed": Analysed, "Failure": Failure}[kind](**values)
