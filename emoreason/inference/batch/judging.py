"""Measuring and judging apart, for a model: many processes measure, one judges the segments of several clips together.

What was measured waits on disk in between: in the user's cache, or below the results where no cache may be kept.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emoreason.inference.batch import results, worker
from emoreason.inference.batch.worker import Analysed, Failure, Job, failure
from emoreason.media import Clip
from emoreason.media.source import Source


@dataclass(frozen=True)
class Measured:
    """A clip that waits to be judged. segments: how many it has. seconds, timings_s: spent on measuring it."""

    job: Job
    id: str
    source: Source
    segments: int
    seconds: float
    timings_s: dict[str, float]


def measure(job: Job) -> Measured | Analysed | Failure:
    """Never raises: what went wrong is the outcome."""
    started, stage = time.perf_counter(), "open"
    try:
        clip = worker.opened(job)
        name = results.identity(job.path, clip.source.sha256)
        if worker.is_done(job, name):
            return Analysed(job.path, name, clip.source.sha256, 0.0, unchanged=True)
        stage = "analyse"
        from emoreason.perception.segments import segments

        observation = _measuring(_store(job, name)).observe(clip)
        count = len(segments(observation))
    except Exception as error:  # one of thousands: listed with its reason, and the rest goes on
        return failure(job.path, stage, error)
    return Measured(job, name, clip.source, count, time.perf_counter() - started, observation.timings_s)


def judge(chunk: Sequence[Measured]) -> list[Analysed | Failure]:
    """An outcome for each, in order; of an empty chunk that the model cannot be loaded, if so. Never raises."""
    try:
        worker.reasoner()
    except Exception as error:
        return [failure(path, "load", error) for path in [one.job.path for one in chunk] or [""]]
    try:
        return _judged(chunk)
    except Exception as error:
        if len(chunk) == 1:
            return [failure(chunk[0].job.path, "judge", error)]
        return [judge([one])[0] for one in chunk]  # to see whose it is


def _judged(chunk: Sequence[Measured]) -> list[Analysed | Failure]:
    started = time.perf_counter()
    reports = list(worker.reasoner().report_many([_observation(one) for one in chunk]))
    share = (time.perf_counter() - started) / max(len(chunk), 1)
    outcomes: list[Analysed | Failure] = []
    for one, report in zip(chunk, reports, strict=True):
        if isinstance(report, Exception):
            outcomes.append(failure(one.job.path, "judge", report))
            continue
        timings = report.timings_s.model_copy(update={"total": one.seconds + report.timings_s.total})
        try:
            results.write(report.model_copy(update={"timings_s": timings}), Path(one.job.out), one.id, worker.options())
            outcomes.append(Analysed(one.job.path, one.id, one.source.sha256, one.seconds + share))
        except OSError as error:
            outcomes.append(failure(one.job.path, "write", error))
    return outcomes


def _observation(one: Measured):
    """As it was measured; measured again if it has been dropped from a full cache meanwhile."""
    store, settings = _store(one.job, one.id), worker.options().perception
    found = store.find(one.source, settings.to_dict())
    if found is None:
        return _measuring(store).observe(Clip(one.source.path))
    return replace(found, timings_s=one.timings_s)


def _measuring(store):
    """What measures here; who judges is loaded elsewhere."""
    from emoreason.inference.judges.composer import ComposerJudge
    from emoreason.inference.reasoner import EmotionReasoner

    return EmotionReasoner(ComposerJudge(), worker.options().perception, store)


def _store(job: Job, name: str):
    """Without a cache each clip has a store of its own, so that it can go as soon as the clip is judged."""
    from emoreason.perception.store import ObservationStore

    if worker.options().cache:
        from emoreason import assets

        return ObservationStore(assets.home() / "observations")
    return ObservationStore(Path(job.out) / results.WAITING / name, limit_bytes=None)


def forget(one: Measured) -> None:
    """Its measurements, where they were only waiting."""
    shutil.rmtree(Path(one.job.out) / results.WAITING / one.id, ignore_errors=True)
