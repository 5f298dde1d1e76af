"""The local engine for a model: worker processes measure, one process judges what they measured, several clips at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import wait

from emoreason.inference.batch import judging
from emoreason.inference.batch.engines import TICK_S, Outcome, explained, limited
from emoreason.inference.batch.judging import Measured
from emoreason.inference.batch.options import Options, default_workers
from emoreason.inference.batch.pool import Died, Pool
from emoreason.inference.batch.worker import Failure, Job
from emoreason.machine import cores

SEGMENTS = 64  # in a chunk at most, unless one clip alone has more: what a judge that dies has to do again


class JudgedEngine:
    """No more than `options.waiting` clips are measured and not yet judged: then the measuring waits.

    Half of the cores measure and half judge, unless told otherwise. A chunk whose judge dies is tried again one by one.
    """

    def __init__(self, options: Options):
        self.options = options
        self.workers = options.workers or max(1, default_workers() // 2)

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Outcome] | list[tuple[str, float]]]:
        queue = deque(jobs)
        with ExitStack() as stack:
            measuring, judging_one = (stack.enter_context(pool) for pool in self._pools(len(queue)))
            yield from _Flow(self.options, queue, measuring, judging_one).outcomes()

    def _pools(self, jobs: int) -> tuple[Pool, Pool]:
        workers = min(self.workers, max(jobs, 1))
        threads = self.options.threads or max(1, cores() // 2 // workers)
        given = replace(self.options, perception=replace(self.options.perception, threads=threads))
        left = self.options.threads or max(1, cores() - workers * threads)
        return (
            limited(given, judging.measure, workers, threads, processes=workers + 1),
            limited(given, judging.judge, 1, left, processes=workers + 1),
        )


class _Flow:
    """One pass over the jobs: queue -> measuring -> ready -> judge."""

    def __init__(self, options: Options, queue: deque[Job], measuring: Pool, judge: Pool):
        self.options, self.queue, self.measuring, self.judge = options, queue, measuring, judge
        self.ready: deque[Measured] = deque()
        self.alone: deque[Measured] = deque()  # of a chunk whose judge died
        self.loading, self.died_loading = False, 0

    @property
    def waiting(self) -> int:
        """Clips that are being measured, or are and have no verdict yet."""
        judged = sum(len(chunk) for chunk, _ in self.judge.busy)
        return len(self.measuring.busy) + len(self.ready) + len(self.alone) + judged

    def outcomes(self) -> Iterator[tuple[Job, Outcome] | list[tuple[str, float]]]:
        while self.queue or self.waiting or self.judge.busy:
            while self.queue and self.measuring.free and self.waiting < self.options.waiting:
                self.measuring.give(self.queue.popleft())
            if self.judge.free and (chunk := self._chunk()) is not None:
                self.judge.give(chunk)
            wait([*self.measuring.pipes, *self.judge.pipes], TICK_S)
            for job, found in self.measuring.next_outcomes(0):
                if isinstance(found, Measured):
                    self.ready.append(found)
                else:
                    yield job, explained(job, found, self.options)
            for chunk, found in self.judge.next_outcomes(0):
                yield from self._verdicts(chunk, found)
            yield self._busy()

    def _chunk(self) -> tuple[Measured, ...] | None:
        """What the judge is to do next, None = wait until more is ready. The first is empty: the model loads meanwhile."""
        if not self.loading:
            self.loading = bool(self.ready)
            return () if self.ready else None
        if self.alone:
            return (self.alone.popleft(),)
        most = max(1, self.options.waiting // 2)
        full = len(self.ready) >= most or sum(one.segments for one in self.ready) >= SEGMENTS
        if not self.ready or not (full or not (self.queue or self.measuring.busy)):
            return None
        chunk = [self.ready.popleft()]
        while self.ready and len(chunk) < most and sum(one.segments for one in (*chunk, self.ready[0])) <= SEGMENTS:
            chunk.append(self.ready.popleft())
        return tuple(chunk)

    def _verdicts(self, chunk: tuple[Measured, ...], found: list[Outcome] | Died) -> Iterator[tuple[Job, Outcome]]:
        if not chunk:
            yield from self._not_loaded(found)
        elif isinstance(found, Died) and len(chunk) > 1:
            self.alone.extend(chunk)
        else:
            found = [explained(chunk[0].job, found, self.options, "judge")] if isinstance(found, Died) else found
            pairs = zip(chunk, found, strict=True)
            for one, outcome in sorted(pairs, key=lambda pair: isinstance(pair[1], Failure)):  # a failure may end the run
                if not (isinstance(outcome, Failure) and (outcome.transient or outcome.fatal)):
                    judging.forget(one)
                yield one.job, outcome

    def _not_loaded(self, found: list[Outcome] | Died) -> Iterator[tuple[Job, Outcome]]:
        """Nothing, when the model was loaded; else no file can be judged. A judge that was killed meanwhile loads it again."""
        job = self.ready[0].job
        if isinstance(found, Died):
            found = [explained(job, found, self.options, "load")]
            if found[0].transient and self.died_loading < self.options.retries:
                self.loading, self.died_loading = False, self.died_loading + 1
                return
        for outcome in found:
            yield job, replace(outcome, path=job.path, fatal=True)

    def _busy(self) -> list[tuple[str, float]]:
        judged = [(one.job.path, seconds) for chunk, seconds in self.judge.busy for one in chunk[:1]]
        return [*judged, *((job.path, seconds) for job, seconds in self.measuring.busy)]
