"""`observe`: one clip in, one Observation out. Faces are read in this thread; voice, then words, in another beside it."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from emoreason.media import Clip, Frame
from emoreason.perception.faces import read_faces
from emoreason.perception.landmarker import Meshes
from emoreason.perception.observation import FaceTable, Note, Observation, Voice, Words
from emoreason.perception.settings import PerceptionSettings, Progress
from emoreason.perception.speaking import who_speaks
from emoreason.perception.store import ObservationStore, Shard, ShardWriter
from emoreason.perception.voice import read_voice
from emoreason.perception.words import read_words

OnFaces = Callable[[Frame, Meshes], None]


def observe(
    clip: Clip,
    settings: PerceptionSettings | None = None,
    store: ObservationStore | None = None,
    progress: Progress | None = None,
    on_faces: OnFaces | None = None,
) -> Observation:
    """Measure faces, voice and words of `clip`, or take them from `store` if these bytes were measured before. `on_faces`:
    each frame as it is read, with the faces found on it at first sight.

    Raises MediaError when nothing of the file can be read; what can be read only in part ends in a note.
    """
    settings, store = settings or PerceptionSettings(), store or ObservationStore(None)
    found = store.find(clip.source, settings.to_dict())
    if found is not None:
        return found
    scratch = store.scratch()
    try:
        return store.keep(scratch, _measure(clip, settings, scratch, progress, on_faces))
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _measure(
    clip: Clip, settings: PerceptionSettings, scratch: Path, progress: Progress | None, on_faces: OnFaces | None
) -> Observation:
    writer = ShardWriter(scratch)
    with ThreadPoolExecutor(1, thread_name_prefix="emoreason-sound") as pool:
        sound = pool.submit(_hear, clip, settings, progress)
        started = time.perf_counter()
        told = progress and (lambda done_s: progress("faces", done_s, clip.source.duration_s))
        log = read_faces(clip, settings, writer.add, told, on_faces)
        writer.flush()
        faces_s = time.perf_counter() - started
        voice, words, notes, sound_timings = sound.result()
    faces = FaceTable([Shard(path) for path in sorted(scratch.glob("faces-*.safetensors"))])
    observation = Observation(
        source=clip.source,
        settings=settings.to_dict(),
        sample_times_s=np.asarray(log.sample_times_s, np.float64),
        sample_frames=np.asarray(log.sample_frames, np.int64),
        faces=faces,
        cuts_s=tuple(log.cuts_s),
        voice=voice,
        words=words,
        speaking={},
        scene_times_s=tuple(log.scene_times_s),
        notes=(*log.notes, *notes, *(Note("damaged", problem) for problem in clip.problems)),
        timings_s={"decode": log.decode_s, "faces": faces_s, **sound_timings},
    )
    observation.speaking.update(who_speaks(observation.people, voice))
    return observation


def _hear(
    clip: Clip, settings: PerceptionSettings, progress: Progress | None
) -> tuple[Voice | None, Words | None, list[Note], dict[str, float]]:
    if not settings.voice or not clip.source.has_audio:
        notes = [] if clip.source.has_audio or clip.kind == "picture" else [Note("no_audio", "The file has no sound.")]
        return None, None, notes, {"voice": 0.0, "words": 0.0}
    started = time.perf_counter()
    voice, notes = read_voice(clip, settings, progress)
    heard = time.perf_counter()
    words = None
    if voice is not None and settings.words:
        words, more = read_words(clip, voice, settings, progress)
        notes = [*notes, *more]
    timings = {"voice": heard - started, "words": time.perf_counter() - heard}
    return voice, words, notes, timings
