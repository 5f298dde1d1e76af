"""Observations of all media of a data set: several processes, bounded memory, and what is in the store already is not redone.

A file that cannot be measured is one line of `failures.jsonl`; so is one that ends the process that reads it.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

from emoreason import assets
from emoreason.errors import AssetError, ConfigError, EnvironmentProblem
from emoreason.instructions.record import Record
from emoreason.media import Clip, FrameSequence
from emoreason.perception.landmarker import landmarkers_kept
from emoreason.perception.observation import Observation, Words, WordSegment
from emoreason.perception.observe import observe
from emoreason.perception.settings import PerceptionSettings
from emoreason.perception.store import ObservationStore

Roots = Path | Mapping[str, Path]  # one data set's root, or of each data set by name for records put together from several
Progress = Callable[[int, int], None]  # files done, files in all

Kind = Literal["video", "picture", "sound"]

_CHUNK = 32  # files handed to a process at a time: networks are made once a chunk


@dataclass(frozen=True)
class Job:
    """One clip to be measured, and how: a file, or `frames` of a film at `frame_rate`, whose folder is `path`."""

    path: str
    settings: PerceptionSettings
    frames: tuple[str, ...] = ()
    frame_rate: float | None = None

    def clip(self) -> Clip:
        """Opens it. Raises MediaError."""
        return FrameSequence(self.frames, self.frame_rate) if self.frames else Clip(self.path)


@dataclass(frozen=True)
class Unread:
    """A file that could not be measured: one line of `failures.jsonl`."""

    path: str
    stage: str
    error: str
    message: str


@dataclass(frozen=True)
class Measured:
    """What one file came to. `cached`: it had been measured before."""

    path: str
    cached: bool
    faces: int = 0
    sound_s: float = 0.0


@dataclass
class Tally:
    """The whole run. Speeds count what was measured now, not what was found in the store."""

    files: int = 0
    cached: int = 0
    failed: int = 0
    faces: int = 0
    sound_s: float = 0.0
    elapsed_s: float = 0.0

    def add(self, outcome: Measured | Unread) -> None:
        self.files += 1
        if isinstance(outcome, Unread):
            self.failed += 1
        elif outcome.cached:
            self.cached += 1
        else:
            self.faces += outcome.faces
            self.sound_s += outcome.sound_s


def default_store() -> Path:
    """Where observations of data sets are kept unless the caller says otherwise: apart from the bounded cache of single files."""
    return assets.home() / "data-observations"


def data_store(folder: Path) -> ObservationStore:
    """A store that keeps everything: a data set is observed to be read again in every epoch."""
    return ObservationStore(folder, limit_bytes=None)


def settings_of(record: Record, words: bool = True, kind: Kind = "video") -> PerceptionSettings:
    """How a clip of a record is measured. What does not concern its kind is left at the default, so that a picture or a sound is
    measured once, whatever it is put together with.

    Speech is transcribed unless the record has a transcript or the recipe says `transcribe: false`, and `words` allows it.
    """
    crop = True if record.cropped_face and kind != "sound" else None
    if kind == "picture":
        return PerceptionSettings(cropped_faces=crop, words=False)
    wanted = words and record.transcribe and record.transcript is None
    return PerceptionSettings(cropped_faces=crop, words=wanted, language=record.language)


def files_of(record: Record, roots: Roots) -> list[Path]:
    """All files of a record: video or pictures first, sound last. Raises ConfigError for a data set without a root."""
    media = record.media
    paths = [media.video, media.image, *media.frames, media.audio] if media else []
    return [_located(path, roots) for path in dict.fromkeys(paths) if path]


def sound_of(record: Record, roots: Roots) -> Path | None:
    """The file that a record is heard in: its sound where that is a file of its own, else its video. None: pictures or words."""
    path = record.media and (record.media.audio or record.media.video)
    return _located(path, roots) if path else None


def clip_jobs(record: Record, roots: Roots, words: bool = True) -> list[Job]:
    """What is measured of a record: pictures first, sound last. Frames are one clip; a single one is a picture."""
    media = record.media
    if media is None:
        return []
    frames = [str(_located(path, roots)) for path in media.frames]
    jobs = [Job(str(_located(media.video, roots)), settings_of(record, words, "video"))] if media.video else []
    for path in (media.image, *(media.frames if len(frames) == 1 else ())):
        jobs += [Job(str(_located(path, roots)), settings_of(record, words, "picture"))] if path else []
    if len(frames) > 1:
        jobs.append(Job(str(Path(frames[0]).parent), settings_of(record, words, "picture"), tuple(frames), media.frame_rate))
    jobs += [Job(str(_located(media.audio, roots)), settings_of(record, words, "sound"))] if media.audio else []
    return jobs


def _located(path: str, roots: Roots) -> Path:
    if isinstance(roots, Path):
        return roots / path
    dataset, _, rest = path.partition("/")
    if dataset not in roots:
        raise ConfigError(f"'{path}': no root is known for data set '{dataset}' (known: {', '.join(sorted(roots)) or 'none'})")
    return roots[dataset] / rest


def jobs_of(records: Iterable[Record], roots: Roots, words: bool = True) -> list[Job]:
    """Each clip once: utterances of one video share its observation."""
    return list(dict.fromkeys(job for record in records for job in clip_jobs(record, roots, words)))


def find(record: Record, roots: Roots, store: ObservationStore, words: bool = True) -> Observation | None:
    """The stored observation of a record. Sound from a file of its own is joined to the pictures. A transcript that the data set
    gives counts as its words. None if a clip was not measured or cannot be read.
    """
    found = []
    for job in clip_jobs(record, roots, words):
        if not all(Path(path).is_file() for path in job.frames or (job.path,)):
            return None
        found.append(store.find(job.clip().source, job.settings.to_dict()))
    if not found or None in found:
        return None
    observation = found[0] if len(found) == 1 else joined(found[0], found[-1])
    return observation if record.transcript is None else told(observation, record)


def joined(face: Observation, voice: Observation) -> Observation:
    """Pictures of one file with the sound of another, as if they had been one. A still is shown as long as the voice lasts."""
    heard = {"duration_s": max(face.source.duration_s, voice.source.duration_s), "has_audio": True}
    notes = [note for note in face.notes if note.code != "no_audio"]
    return replace(
        face,
        source=replace(face.source, **heard),
        voice=voice.voice,
        words=voice.words,
        notes=(*notes, *(note for note in voice.notes if note not in notes and note.code != "no_face")),
    )


def told(observation: Observation, record: Record) -> Observation:
    """With the data set's own transcript as the words, said within the record's span, else from the first speech to the last.
    Words without a voice are left out: nobody is heard saying them."""
    spans = observation.voice.spans if observation.voice else ()
    if not spans:
        return observation
    start_s, end_s = (record.span.start_s, record.span.end_s) if record.span else (spans[0][0], spans[-1][1])
    known = observation.settings | {"words": True}  # as if heard: the checker may hold quotations against them
    segment = WordSegment(start_s, end_s, record.transcript)
    return replace(observation, settings=known, words=Words(record.language or "und", 1.0, (segment,)))


def observe_all(
    jobs: list[Job], store: Path, workers: int = 2, failures: Path | None = None, progress: Progress | None = None
) -> Tally:
    """Measure what is not yet in the store folder. Started again after an interruption it goes on where it was.

    `workers=1` works in this process. Raises AssetError or EnvironmentProblem, which would be true of every file.
    """
    if workers < 1:
        raise ConfigError(f"workers is {workers}; give 1 or more")
    tally, started = Tally(), time.perf_counter()
    outcomes = _here(jobs, store) if workers == 1 else _spread(jobs, store, workers)
    lines = open(failures, "w", encoding="utf-8") if failures is not None else None
    try:
        for outcome in outcomes:
            tally.add(outcome)
            if lines is not None and isinstance(outcome, Unread):
                lines.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")
                lines.flush()
            if progress is not None:
                progress(tally.files, len(jobs))
    finally:
        if lines is not None:
            lines.close()
    tally.elapsed_s = time.perf_counter() - started
    return tally


def _here(jobs: Iterable[Job], store: Path) -> Iterator[Measured | Unread]:
    kept = data_store(store)
    with landmarkers_kept():
        for job in jobs:
            yield _measure(job, kept)


def _measure_chunk(jobs: list[Job], store: Path) -> list[Measured | Unread]:
    return list(_here(jobs, store))


def _measure(job: Job, store: ObservationStore) -> Measured | Unread:
    try:
        clip = job.clip()
        if store.find(clip.source, job.settings.to_dict()) is not None:
            return Measured(job.path, cached=True)
        observation = observe(clip, job.settings, store)
    except (AssetError, EnvironmentProblem):
        raise
    except Exception as error:  # one of thousands: it is listed with its reason, and the rest goes on
        return Unread(job.path, "observe", type(error).__name__, str(error))
    sound_s = observation.source.duration_s if observation.source.has_audio else 0.0
    return Measured(job.path, False, len(observation.faces), sound_s)


def _spread(jobs: list[Job], store: Path, workers: int) -> Iterator[Measured | Unread]:
    """Chunks in processes of their own, in order. When a process dies, what may have been under way is done again one by one,
    so that the file at fault is known by itself."""
    chunks = deque(jobs[start : start + _CHUNK] for start in range(0, len(jobs), _CHUNK))
    while chunks:
        pool = _pool(workers)
        try:
            for future in [pool.submit(_measure_chunk, chunk, store) for chunk in chunks]:
                outcomes = future.result()
                chunks.popleft()
                yield from outcomes
        except BrokenProcessPool:
            yield from _one_by_one([job for _ in range(min(len(chunks), 2 * workers)) for job in chunks.popleft()], store)
        finally:
            pool.shutdown(cancel_futures=True)


def _one_by_one(jobs: list[Job], store: Path) -> Iterator[Measured | Unread]:
    pool = _pool(1)
    try:
        for job in jobs:
            try:
                yield from pool.submit(_measure_chunk, [job], store).result()
            except BrokenProcessPool:
                yield Unread(job.path, "observe", "BrokenProcessPool", "the process that read this file died of it")
                pool = _pool(1)
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    """Spawned: the networks' threads do not survive a fork."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
