"""Where observations live: face shards on disk while a clip is read, and finished observations in a private, bounded cache.

A folder holds `faces-*.safetensors` (SHARD_ROWS rows each), `series.safetensors` and `observation.json`. It is filled under a
temporary name and renamed when complete, so a folder with its final name is always whole. No crops and no file names are kept.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from emoreason.media.source import Source
from emoreason.perception.gaze import gaze
from emoreason.perception.geometry import MEASURES, measure
from emoreason.perception.observation import (
    FACE_COLUMNS,
    FaceTable,
    Note,
    Observation,
    Voice,
    VoiceCue,
    Words,
    WordSegment,
)
from emoreason.perception.refinement import HeadUnits, Refinement

VERSION = 1  # raise when a change in perception makes old observations wrong
HEARD_VERSION = 2  # the same, of what can be heard: pictures need not be looked at again
SHARD_ROWS = 2048  # about 6 MB of landmarks
STALE_S = 24 * 3600  # a temporary folder this old belongs to a process that was killed


class Shard(Mapping[str, np.ndarray]):
    """One safetensors file as a mapping column -> array; a column is read (through the memory map) each time it is asked for."""

    def __init__(self, path: Path):
        self.path = path
        with safe_open(path, framework="np") as file:
            self.names = tuple(file.keys())

    def __getitem__(self, name: str) -> np.ndarray:
        with safe_open(self.path, framework="np") as file:
            return file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class ShardWriter:
    """Takes the face rows of one frame at a time and writes a shard whenever SHARD_ROWS have come; memory stays bounded."""

    def __init__(self, folder: Path):
        self.folder, self.count = folder, 0
        self.rows: list[Mapping[str, np.ndarray]] = []
        self.waiting = 0

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """n faces stacked: every column of FACE_COLUMNS but `geometry` and `gaze`, which are computed here for a whole shard."""
        self.rows.append(rows)
        self.waiting += len(rows["sample"])
        if self.waiting >= SHARD_ROWS:
            self.flush()

    def flush(self) -> None:
        if not self.rows:
            return
        given = [name for name in FACE_COLUMNS if name not in ("geometry", "gaze")]
        shard = {name: np.concatenate([rows[name] for rows in self.rows]).astype(FACE_COLUMNS[name][0]) for name in given}
        pixels = landmarks_in_pixels(shard["landmarks"], shard["box"])  # [N, 478, 3]
        shard["geometry"] = measure(pixels).astype(np.float32)
        shard["gaze"] = gaze(pixels, shard["blendshapes"]).astype(np.float32)
        save_file(shard, self.folder / f"faces-{self.count:05d}.safetensors")
        self.rows, self.waiting, self.count = [], 0, self.count + 1


def landmarks_in_pixels(relative: np.ndarray, box: np.ndarray) -> np.ndarray:
    """[N, 478, 3] pixels of the upright frame (z in the scale of x) from box-relative landmarks and boxes [N, 4]."""
    box = box[:, None]  # [N, 1, 4]
    relative = relative.astype(np.float32)
    return np.concatenate([relative[..., :2] * box[..., 2:] + box[..., :2], relative[..., 2:] * box[..., 2:3]], axis=-1)


def key(source: Source, settings: Mapping[str, Any]) -> str:
    """Equal bytes, settings and perception version give the same key. The file's name has no part in it."""
    version = VERSION if source.kind == "picture" else [VERSION, HEARD_VERSION]
    text = json.dumps([version, FACE_COLUMNS, MEASURES, source.sha256, source.kind, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class ObservationStore:
    """`root=None` keeps nothing: the shards go to a temporary folder that vanishes with the Observation.

    `limit_bytes=None` never drops anything: for a whole data set, where looking for what to drop would cost more each time.
    """

    def __init__(self, root: Path | None, limit_bytes: int | None = 2 << 30):
        self.root, self.limit_bytes = root, limit_bytes
        if root is not None:
            root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def scratch(self) -> Path:
        """A new private folder to fill."""
        return Path(tempfile.mkdtemp(prefix=".part-", dir=self.root))  # mkdtemp makes it mode 0700

    def find(self, source: Source, settings: Mapping[str, Any]) -> Observation | None:
        """The stored observation of these bytes under these settings; a damaged or vanished one counts as absent."""
        if self.root is None:
            return None
        return self._whole(self.root / key(source, settings), source)

    def _whole(self, folder: Path, source: Source) -> Observation | None:
        try:
            observation = load(folder, source)
            os.utime(folder)  # the cache drops what was not used for longest
            return observation
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError, KeyError, TypeError):
            _remove(folder)
            return None

    def keep(self, scratch: Path, observation: Observation) -> Observation:
        """Complete `scratch` with the small parts, move it to its place and return the Observation as read back from there.

        Where another process was faster with the same clip its folder stays: somebody may be reading it just now."""
        save(scratch, observation)
        if self.root is None:
            kept = load(scratch, observation.source)
            weakref.finalize(kept.faces, shutil.rmtree, scratch, ignore_errors=True)
            return replace(kept, timings_s=observation.timings_s)
        folder = self.root / key(observation.source, observation.settings)
        with FileLock(self.root / ".lock"):
            kept = self._whole(folder, observation.source)
            if kept is None:
                if folder.exists():  # a part of it is missing
                    _remove(folder)
                scratch.rename(folder)
                kept = load(folder, observation.source)
            else:
                shutil.rmtree(scratch, ignore_errors=True)
            if self.limit_bytes is not None:
                self._evict(keep=folder)
        return replace(kept, timings_s=observation.timings_s)

    def refined(self, observation: Observation, by: str) -> Observation | None:
        """The observation with the stored opinion of the weights of that sha256; None where there is none of just these faces."""
        file = self._refinement_file(observation, by)
        if file is None or not file.is_file():
            return None
        try:
            return replace(observation, refinement=load_refinement(file, by))
        except (SafetensorError, OSError, KeyError, ValueError):
            file.unlink(missing_ok=True)
            return None

    def keep_refinement(self, observation: Observation) -> None:
        """Store what an observation was refined with, beside the observation; nothing where that is not kept."""
        refinement = observation.refinement
        file = refinement and refinement.by and self._refinement_file(observation, refinement.by)
        if not file:
            return
        temporary = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}")
        save_refinement(temporary, refinement)
        temporary.replace(file)

    def _refinement_file(self, observation: Observation, by: str) -> Path | None:
        """Named by the weights and the faces that they judged: an observation may have been changed since it was measured."""
        folder = self.root and self.root / key(observation.source, observation.settings)
        if folder is None or not folder.is_dir():
            return None
        faces = [observation.faces.column(name).tobytes() for name in ("sample", "face_id", "box")]
        return folder / f"refined-{hashlib.sha256(b''.join([by.encode(), *faces])).hexdigest()[:24]}.safetensors"

    def _evict(self, keep: Path) -> None:
        entries = []
        for folder in self.root.iterdir():
            if folder.name.startswith(".part-"):
                if time.time() - folder.stat().st_mtime > STALE_S:
                    _remove(folder)
            elif folder.is_dir():
                size = sum(file.stat().st_size for file in folder.iterdir())
                entries.append((folder != keep, -folder.stat().st_mtime, size, folder))
        total = 0
        for _, _, size, folder in sorted(entries):  # `keep` first, then the latest used
            total += size
            if total > self.limit_bytes and folder != keep:
                _remove(folder)


def _remove(folder: Path) -> None:
    """Rename first: another process never sees a half-deleted entry. Open memory maps stay valid."""
    doomed = folder.with_name(f".part-gone-{os.getpid()}-{time.monotonic_ns()}")
    try:
        folder.rename(doomed)
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def save(folder: Path, observation: Observation) -> None:
    """Write series and small parts into `folder`; the face shards are there already."""
    voice, words = observation.voice, observation.words
    series = {"sample_times_s": observation.sample_times_s, "sample_frames": observation.sample_frames}
    if voice:
        series |= {"pitch_hz": voice.pitch_hz, "loudness_db": voice.loudness_db}
    save_file({name: np.ascontiguousarray(values) for name, values in series.items()}, folder / "series.safetensors")
    small = {
        "version": VERSION,
        "settings": observation.settings,
        "cuts_s": observation.cuts_s,
        "speaking": observation.speaking,
        "scene_times_s": observation.scene_times_s,
        "notes": [asdict(note) for note in observation.notes],
        "voice": voice and {"spans": voice.spans, "cues": [asdict(cue) for cue in voice.cues], "hop_s": voice.hop_s},
        "words": words and asdict(words),
    }
    (folder / "observation.json").write_text(json.dumps(small), encoding="utf-8")


def save_refinement(file: Path, refinement: Refinement) -> None:
    tensors = {}
    for name, units in refinement.people.items():
        tensors |= {f"{name}.times_s": units.times_s, f"{name}.logits": np.ascontiguousarray(units.logits, np.float32)}
    aus = {name: " ".join(units.aus) for name, units in refinement.people.items()}
    save_file(tensors, file, metadata=aus)


def load_refinement(file: Path, by: str) -> Refinement:
    """Raises SafetensorError, KeyError when damaged."""
    with safe_open(file, framework="np") as opened:
        people = {
            name: HeadUnits(tuple(aus.split()), opened.get_tensor(f"{name}.times_s"), opened.get_tensor(f"{name}.logits"))
            for name, aus in (opened.metadata() or {}).items()
        }
    return Refinement(by, people)


def load(folder: Path, source: Source) -> Observation:
    """Raises FileNotFoundError when absent, SafetensorError/ValueError/KeyError/TypeError when damaged."""
    small = json.loads((folder / "observation.json").read_text(encoding="utf-8"))
    series = Shard(folder / "series.safetensors")
    shards = [Shard(path) for path in sorted(folder.glob("faces-*.safetensors"))]
    voice = small["voice"] and Voice(
        spans=_pairs(small["voice"]["spans"]),
        cues=tuple(VoiceCue(**cue) for cue in small["voice"]["cues"]),
        hop_s=small["voice"]["hop_s"],
        pitch_hz=series["pitch_hz"],
        loudness_db=series["loudness_db"],
    )
    words = small["words"] and Words(
        small["words"]["language"],
        small["words"]["language_probability"],
        tuple(WordSegment(**segment) for segment in small["words"]["segments"]),
    )
    return Observation(
        source=source,
        settings=small["settings"],
        sample_times_s=series["sample_times_s"],
        sample_frames=series["sample_frames"],
        faces=FaceTable(shards),
        cuts_s=tuple(small["cuts_s"]),
        voice=voice,
        words=words,
        speaking={person: _pairs(spans) for person, spans in small["speaking"].items()},
        scene_times_s=tuple(small["scene_times_s"]),
        notes=tuple(Note(**note) for note in small["notes"]),
    )


def _pairs(spans: list[list[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((start, end) for start, end in spans)
