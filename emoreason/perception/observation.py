"""What was measured on one media file. Plain data: no model, no decoding, no opinion.

Letters in shapes: N rows of the face table (one face in one sampled frame), S sampled frames, T frames of one person,
A action units, V voice frames.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from emoreason.labels.action_units import Level, Reliability, Side
from emoreason.labels.voice_cues import VoiceLevel
from emoreason.media.source import Source
from emoreason.perception.action_units import au_series
from emoreason.perception.au_series import AuSeries

Found = Literal["whole_picture", "loop", "second_pass"]
FOUND: tuple[Found, ...] = ("whole_picture", "loop", "second_pass")  # index = code in the `found` column

# name -> (dtype, shape of one row, meaning). The columns of the face table, as stored in the shards.
FACE_COLUMNS: dict[str, tuple[str, tuple[int, ...], str]] = {
    "sample": ("int32", (), "index into Observation.sample_times_s"),
    "face_id": ("int32", (), "1, 2, ... in order of first appearance; person is f'p{face_id}'"),
    "found": ("uint8", (), "index into FOUND: how this face was found"),
    "box": ("float32", (4,), "x, y, width, height in pixels of the upright frame; the face's landmark extent"),
    "landmarks": ("float16", (478, 3), "face mesh relative to box: (x-x0)/w, (y-y0)/h, z/w; NaN where found is whole_picture"),
    "blendshapes": ("float32", (52,), "0..1 in the order of labels.action_units.BLENDSHAPES; NaN for whole_picture"),
    "pose": ("float32", (3,), "head pitch (+ up), yaw (+ to the subject's left), roll (+ to the subject's left), degrees"),
    "gaze": ("float32", (2,), "eyes in head: yaw (+ to the subject's left), pitch (+ up), degrees"),
    "geometry": ("float32", (-1,), "pose-compensated distances, in the order of perception.geometry.MEASURES"),
    "quality": ("float32", (4,), "size (distance of outer eye corners, px), sharpness, brightness 0..1, overall 0..1"),
}


@dataclass(frozen=True)
class Note:
    """Something the reader of a report must know: `code` is stable (no_face, dark, no_speech, ...), `text` is for people."""

    code: str
    text: str


@dataclass(frozen=True)
class FaceTable:
    """All faces of all sampled frames, columnar. Each column is a list of shards, possibly memory-mapped."""

    shards: Sequence[dict[str, np.ndarray]]

    def column(self, name: str) -> np.ndarray:
        """One whole column, [N, ...]. Cheap for all but `landmarks`: use `Person.landmarks` for those."""
        dtype, shape, _ = FACE_COLUMNS[name]
        if not self.shards:
            return np.zeros((0, *(max(n, 0) for n in shape)), dtype)
        return np.concatenate([np.asarray(shard[name]) for shard in self.shards])

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Chosen rows of one column, [len(indices), ...], reading only the shards they lie in."""
        starts = np.cumsum([0, *(len(shard["sample"]) for shard in self.shards)])
        dtype, shape, _ = FACE_COLUMNS[name]
        out: np.ndarray | None = None
        for shard, start, stop in zip(self.shards, starts, starts[1:], strict=False):
            here = (indices >= start) & (indices < stop)
            if here.any():
                part = shard[name][indices[here] - start]
                if out is None:
                    out = np.empty((len(indices), *part.shape[1:]), part.dtype)
                out[here] = part
        return np.zeros((0, *(max(n, 0) for n in shape)), dtype) if out is None else out

    def __len__(self) -> int:
        return sum(len(shard["sample"]) for shard in self.shards)


@dataclass(frozen=True)
class Person:
    """A view on the rows of one face track."""

    face_id: int
    table: FaceTable
    indices: np.ndarray  # [T] rows of the table, in time order
    times_s: np.ndarray  # [T]

    @property
    def person(self) -> str:
        return f"p{self.face_id}"

    @property
    def start_s(self) -> float:
        return float(self.times_s[0])

    @property
    def end_s(self) -> float:
        return float(self.times_s[-1])

    @cached_property
    def found(self) -> np.ndarray:
        return self.table.rows("found", self.indices)  # [T]

    @cached_property
    def boxes(self) -> np.ndarray:
        return self.table.rows("box", self.indices)  # [T, 4] px

    @cached_property
    def blendshapes(self) -> np.ndarray:
        return self.table.rows("blendshapes", self.indices)  # [T, 52]

    @cached_property
    def pose(self) -> np.ndarray:
        return self.table.rows("pose", self.indices)  # [T, 3] degrees

    @cached_property
    def gaze(self) -> np.ndarray:
        return self.table.rows("gaze", self.indices)  # [T, 2] degrees

    @cached_property
    def geometry(self) -> np.ndarray:
        return self.table.rows("geometry", self.indices)  # [T, G]

    @cached_property
    def quality(self) -> np.ndarray:
        return self.table.rows("quality", self.indices)  # [T, 4]

    def landmarks(self, frames: slice | np.ndarray = slice(None)) -> np.ndarray:
        """[t, 478, 3] in pixels of the upright frame (z in the same scale), read from disk when asked for."""
        rows = self.table.rows("landmarks", self.indices[frames]).astype(np.float32)
        box = self.boxes[frames][:, None]  # [t, 1, 4]
        return np.concatenate([rows[..., :2] * box[..., 2:] + box[..., :2], rows[..., 2:] * box[..., 2:3]], axis=-1)

    @cached_property
    def action_units(self) -> AuSeries:
        return au_series(self)


@dataclass(frozen=True)
class VoiceCue:
    """One prosodic measurement over start_s..end_s, with its level against labels.voice_cues."""

    cue: str
    value: float
    unit: str
    level: VoiceLevel
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Voice:
    """Speech found by voice activity detection. `cues` covers all speech first, then each span of at least a second."""

    spans: tuple[tuple[float, float], ...]  # speech, seconds
    cues: tuple[VoiceCue, ...]
    hop_s: float  # spacing of the two series, first value at 0 s
    pitch_hz: np.ndarray  # [V] NaN where unvoiced or no speech
    loudness_db: np.ndarray  # [V] dBFS, whole track

    @property
    def speech_s(self) -> float:
        return float(sum(end - start for start, end in self.spans))


@dataclass(frozen=True)
class WordSegment:
    """A piece of the transcript and when it was said."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Words:
    """The transcript, in one language."""

    language: str
    language_probability: float
    segments: tuple[WordSegment, ...]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class Cue:
    """One piece of measured evidence, the currency of composer, prompt and claims.

    cue: an AU ("AU12"), a voice cue ("pitch") or "said" (words). level: slight|marked|strong for AUs, low|typical|high for
    voice. strength in 0..1; evidence is ranked by strength x weight of reliability.
    """

    modality: Literal["face", "voice", "words"]
    cue: str
    person: str | None
    level: Level | VoiceLevel | None
    side: Side | None
    value: float | str
    unit: str | None
    start_s: float
    apex_s: float
    end_s: float
    reliability: Reliability
    strength: float


@dataclass(frozen=True)
class Observation:
    """Everything measured on one clip. See `perception.observe.observe`."""

    source: Source
    settings: dict[str, Any]
    sample_times_s: np.ndarray  # [S] seconds of every frame looked at, with or without a face
    sample_frames: np.ndarray  # [S] their index in presentation order
    faces: FaceTable
    cuts_s: tuple[float, ...]  # shot boundaries
    voice: Voice | None
    words: Words | None
    speaking: dict[str, tuple[tuple[float, float], ...]]  # person -> spans in which that person seems to speak
    scene_times_s: tuple[float, ...]  # representative frames; re-cut from the file when a backbone wants to see them
    notes: tuple[Note, ...]
    timings_s: dict[str, float] = field(default_factory=dict)

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """Persons in order of first appearance."""
        ids, samples = self.faces.column("face_id"), self.faces.column("sample")
        people = []
        for face_id in np.unique(ids):
            indices = np.flatnonzero(ids == face_id)
            indices = indices[np.argsort(samples[indices], kind="stable")]
            people.append(Person(int(face_id), self.faces, indices, self.sample_times_s[samples[indices]]))
        return tuple(people)

    def person(self, name: str) -> Person | None:
        return next((person for person in self.people if person.person == name), None)

    def without(self, *modalities: Literal["face", "voice", "words"]) -> "Observation":
        """The same clip as if these had not been measured."""
        gone = {"face": {"faces": FaceTable([]), "speaking": {}}, "voice": {"voice": None}, "words": {"words": None}}
        return replace(self, **{name: value for modality in modalities for name, value in gone[modality].items()})

    def __iter__(self) -> Iterator[Person]:
        return iter(self.people)
