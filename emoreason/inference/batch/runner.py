"""A batch run: a folder of media in, a folder of reports and tables out; killed at any moment, it goes on where it was."""

import json
import math
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from emoreason import __version__
from emoreason.errors import EnvironmentProblem
from emoreason.inference.batch import manifest as states
from emoreason.inference.batch import results
from emoreason.inference.batch.discover import Walk, discover, in_shard
from emoreason.inference.batch.engines import Engine, LocalEngine, Outcome
from emoreason.inference.batch.lock import locked
from emoreason.inference.batch.manifest import Entry, Manifest
from emoreason.inference.batch.options import Options
from emoreason.inference.batch.page import PAGE, write_page
from emoreason.inference.batch.tables import PEOPLE, SUMMARY, write_tables
from emoreason.inference.batch.worker import Analysed, Job
from emoreason.report.save import atomically

RUN, FAILURES = "run.json", "failures.jsonl"
TOLD_S = 2.0  # run.json is at most this old while a run goes on


@dataclass
class Progress:
    """How far a run is. `files` counts what there is to do in all; `skipped` of them were done before."""

    files: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0
    retried: int = 0
    media_s: float = 0.0
    elapsed_s: float = 0.0
    busy: list[tuple[str, float]] = field(default_factory=list)  # (path, seconds)

    @property
    def per_minute(self) -> float:
        """Files finished now, not those found done."""
        return 60 * (self.done + self.failed) / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float | None:
        left = self.files - self.skipped - self.done - self.failed
        return 60 * left / self.per_minute if self.per_minute else None


@dataclass(frozen=True)
class Event:
    """Something that happened: started, done, unchanged, retried, failed, unreadable, finished."""

    kind: str
    path: str | None = None
    id: str | None = None
    seconds: float | None = None
    stage: str | None = None
    error: str | None = None
    message: str | None = None


WORTH_A_GRAPH = 50  # files: of more, building the graph of a model that has none takes less time than it saves
OnEvent = Callable[[Event, Progress], None]


def run(
    folder: Path,
    out: Path,
    options: Options,
    on_event: OnEvent | None = None,
    engine: Engine | None = None,
    shard: tuple[int, int] = (1, 1),
    limit: int | None = None,
    restart: bool = False,
    verify: bool = False,
) -> Progress:
    """Analyse every media file below `folder` into `out`. What is done is not redone unless file or options changed.

    A file that failed in an earlier run is tried again. engine: processes of this machine when not given. restart: forget all
    results. verify: read every file again to see whether it changed, not only those whose size or time did. Raises ConfigError,
    EnvironmentProblem (also when another run holds `out`, or the disk is full: nothing that was written is lost) and AssetError.
    """
    _prepare(folder, out)
    with locked(out):
        if restart:
            _forget(out)
        results.sweep(out)
        with Manifest(out) as manifest:
            walk = Walk()
            found = [file for file in discover(folder, out, walk) if in_shard(file.path, shard)]
            if not found:
                raise EnvironmentProblem(f"{folder}: holds no media file ({walk.others} of other kinds)")
            manifest.update(found)
            if len(found) > WORTH_A_GRAPH:
                options = replace(options, build_graph=True)
            work = _Run(folder, out, options, engine or _local(options), manifest, walk)
            work.on_event = on_event
            return work.go(limit, verify)


def _local(options: Options) -> Engine:
    if not options.judges:
        return LocalEngine(options)
    from emoreason.inference.batch.judged_engine import JudgedEngine

    return JudgedEngine(options)


def _prepare(folder: Path, out: Path) -> None:
    try:
        (out / results.REPORTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentProblem(f"{out}: {error.strerror}; name a folder that can be written to") from error
    if folder.is_dir() and folder.samefile(out):
        raise EnvironmentProblem(f"{out}: is the folder of videos itself; name another folder for the results")


def _forget(out: Path) -> None:
    for name in (states.FILE, f"{states.FILE}-journal", RUN, FAILURES):
        (out / name).unlink(missing_ok=True)
    for name in (results.REPORTS, results.FRAMES, results.CLIPS, results.WAITING):
        shutil.rmtree(out / name, ignore_errors=True)
    (out / results.REPORTS).mkdir()


class _Run:
    """One run under way."""

    def __init__(self, folder: Path, out: Path, options: Options, engine: Engine, manifest: Manifest, walk: Walk) -> None:
        self.folder, self.out, self.options, self.engine, self.manifest, self.walk = folder, out, options, engine, manifest, walk
        self.config, self.on_event = options.digest(), None
        self.progress, self.started, self.told = Progress(), time.time(), 0.0

    def go(self, limit: int | None, verify: bool) -> Progress:
        work, skipped = self._to_do(verify)
        work = work[:limit]
        self.progress.files, self.progress.skipped = len(work) + skipped, skipped
        self._tell(Event("started"))
        for path, reason in self.walk.unreadable or []:
            self._tell(Event("unreadable", path, message=reason))
        state = "interrupted"
        try:
            self._work(work)
            state = "finished"
        finally:
            self._close(state)
        self._tell(Event("finished"))
        return self.progress

    def _to_do(self, verify: bool) -> tuple[list[Entry], int]:
        """Entries to be given to workers, and how many need none."""
        work, skipped = [], 0
        for entry in self.manifest.entries():
            current = entry.state == states.DONE and entry.config == self.config and results.is_written(self.out, entry.id)
            if current and not verify:
                skipped += 1
            else:
                work.append(entry)
        return work, skipped

    def _work(self, entries: list[Entry]) -> None:
        """What stumbled is tried again when everything else is done."""
        while entries:
            again = []
            for news in self.engine.outcomes([self._job(entry) for entry in entries]):
                if isinstance(news, list):
                    self.progress.busy = news
                elif (entry := self._take(*news)) is not None:
                    again.append(entry)
                self._tell(None)
            entries = again
        shutil.rmtree(self.out / results.WAITING, ignore_errors=True)  # of files that were given up, or of a killed run
        results.sweep(self.out)  # of a killed run's worker that lived on for a moment, or of one that was stopped

    def _job(self, entry: Entry) -> Job:
        known = entry.id if entry.config == self.config else None
        return Job(str(self.folder), entry.path, str(self.out), known)

    def _take(self, job: Job, failure: Outcome) -> Entry | None:
        """Book an outcome; the entry to try again, if it is to be."""
        entry = self.manifest.find(job.path)
        if isinstance(failure, Analysed):
            self._book(entry, failure)
            return None
        if failure.fatal:
            self.manifest.failed(job.path, failure.stage, failure.error, failure.message, final=False)
            raise EnvironmentProblem(f"{failure.message} (at {job.path}; what was finished is kept, run again to go on)")
        again = failure.transient and entry.tries < self.options.retries
        self.manifest.failed(job.path, failure.stage, failure.error, failure.message, final=not again)
        if not again and entry.id is not None:
            results.remove(self.out, entry.id)  # of content that is no more, or of other settings
        self.progress.retried += again
        self.progress.failed += not again
        detail = {"stage": failure.stage, "error": failure.error, "message": failure.message}
        self._tell(Event("retried" if again else "failed", job.path, **detail))
        return replace(entry, tries=entry.tries + 1) if again else None

    def _book(self, entry: Entry, done: Analysed) -> None:
        self.manifest.done(done.path, done.sha256, done.id, self.config, done.seconds)
        if entry.id not in (None, done.id):
            results.remove(self.out, entry.id)  # the file has changed: its row must not be there twice
        self.progress.done += 1
        self._tell(Event("unchanged" if done.unchanged else "done", done.path, done.id, round(done.seconds, 3)))

    def _tell(self, event: Event | None) -> None:
        """Pass it on, and keep run.json fresh for `status`."""
        self.progress.elapsed_s = time.time() - self.started
        if event is not None and self.on_event is not None:
            self.on_event(event, self.progress)
        if event is None and self.on_event is not None:
            self.on_event(Event("tick"), self.progress)
        if time.monotonic() - self.told > TOLD_S:
            self._write_run("running")
            self.told = time.monotonic()

    def _write_run(self, state: str) -> None:
        counts = self.manifest.counts()
        facts = {
            "state": state,
            "version": __version__,
            "python": platform.python_version(),
            "folder": str(self.folder),
            "config": self.config,
            "options": asdict(self.options),
            "workers": self.engine.workers,
            "started": self.started,
            "updated": time.time(),
            "files": {name: counts.get(name, 0) for name in (states.DONE, states.FAILED, states.PENDING)},
            "gone": self.manifest.gone(),
            "others": self.walk.others,
            "unreadable": self.walk.unreadable or [],
            "progress": {**asdict(self.progress), "per_minute": self.progress.per_minute, "left_s": self.progress.left_s},
        }
        with atomically(self.out / RUN) as temporary:
            temporary.write_text(json.dumps(facts, indent=1, ensure_ascii=True), encoding="utf-8")

    def _close(self, state: str) -> None:
        """Tables from what there is, also after an interruption."""
        self.progress.busy = []
        files = [self.out / name for name in (SUMMARY, PEOPLE, FAILURES, PAGE)]
        if self.progress.done or self.progress.failed or not all(file.is_file() for file in files):
            finish(self.out, self.manifest)
        self._write_run(state)
        self.told = math.inf  # the last word


def finish(out: Path, manifest: Manifest) -> None:
    """Everything that sums up the reports: tables, list of failures, page."""
    with atomically(out / FAILURES) as temporary:
        temporary.write_text("".join(_failure_lines(manifest)), encoding="utf-8")
    write_tables(out, manifest)
    write_page(out, manifest)


def _failure_lines(manifest: Manifest) -> Iterator[str]:
    for entry in manifest.entries(states.FAILED):
        line = {"path": entry.path, "stage": entry.stage, "error": entry.error, "message": entry.message}
        yield json.dumps({**line, "retries": entry.tries - 1}) + "\n"
