"""SegmentInput: what the model gets to see and hear of one segment, cut from the clip as the Observation says.

Letters: P persons, T frames, S crop side, M mel bins, C vocal cues.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import cv2
import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from emoreason.labels.action_units import BLENDSHAPES
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.audio import RATE
from emoreason.media.clip import Clip, Frame
from emoreason.model.interface import FaceView
from emoreason.model.prompt import Evidence, sanitize
from emoreason.perception.looks import Look
from emoreason.perception.observation import FOUND, Observation, Person
from emoreason.perception.people import inside, main_person, people_in
from emoreason.perception.regions import aligned_crop, on_crop
from emoreason.perception.segments import Segment

MIN_SPEECH_S = 0.5  # less speech than this has no tone of voice
BEFORE = 2  # utterances that are read before the judged one
AT_ONCE = 32  # decoded frames held in memory at a time
WHOLE_PICTURE = FOUND.index("whole_picture")

Modality = Literal["face", "voice", "words", "evidence", "scene"]


@dataclass(frozen=True)
class SegmentInput:
    """`turns`: earlier (question, answer) pairs. `question` is trusted template text. P, and the number of scenes, may be 0.

    `words`: what was said, for the head on utterances; those before it, and last the one that is judged. `main`: the person whose
    face counts for the verdict. `in_question`: what is judged stands in the question itself, as for words without media.
    `segment`: the seconds of the clip; `speech_s`: for how many of them somebody speaks.
    `face_tokens` and `voice_tokens` are what frozen encoders made of a segment earlier (`of_tokens`): then they are not run.

    Raises ValueError naming the part when shapes do not belong together or a measured value is not finite.
    """

    question: str
    persons: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    crops: np.ndarray  # uint8 [P, T, 3, S, S]
    landmarks: np.ndarray  # float32 [P, T, 478, 3] crop units
    blendshapes: np.ndarray  # float32 [P, T, 52] 0..1
    pose: np.ndarray  # float32 [P, T, 3] degrees
    gaze: np.ndarray  # float32 [P, T, 2] degrees
    times_s: np.ndarray  # float32 [P, T]
    frame_mask: np.ndarray  # bool [P, T] a face was found
    mesh_mask: np.ndarray  # bool [P, T] and it has landmarks
    quality: np.ndarray  # float32 [P, T] 0..1
    mel: np.ndarray | None  # float32 [M, T'] log-mel of 10 ms frames
    prosody: np.ndarray  # float32 [C] in the order of VOICE_CUES, NaN where not measured
    scenes: tuple[np.ndarray, ...] = ()  # uint8 [H, W, 3]
    turns: tuple[tuple[str, str], ...] = ()
    words: tuple[str, ...] = ()
    main: str | None = None
    in_question: bool = False
    segment: Segment | None = None
    speech_s: float = 0.0
    face_tokens: np.ndarray | None = None  # float [P, N, D]
    voice_tokens: np.ndarray | None = None  # float [Q, D]

    @classmethod
    def of_tokens(
        cls,
        question: str,
        persons: tuple[str, ...],
        evidence: tuple[Evidence, ...],
        face_tokens: np.ndarray | None,
        voice_tokens: np.ndarray | None,
        turns: tuple[tuple[str, str], ...] = (),
    ) -> "SegmentInput":
        """A segment of which only the encoders' tokens are known."""
        lead = (len(persons), 0)
        widths = {
            "landmarks": (478, 3),
            "blendshapes": (len(BLENDSHAPES),),
            "pose": (3,),
            "gaze": (2,),
            "times_s": (),
            "quality": (),
        }
        faces = {name: np.zeros((*lead, *width), np.float32) for name, width in widths.items()}
        masks = {name: np.zeros(lead, bool) for name in ("frame_mask", "mesh_mask")}
        crops, prosody = np.zeros((*lead, 3, 0, 0), np.uint8), np.full(len(VOICE_CUES), np.nan, np.float32)
        given = dict(question=question, persons=persons, evidence=evidence, turns=turns, mel=None, prosody=prosody, crops=crops)
        return cls(**given, **faces, **masks, face_tokens=face_tokens if persons else None, voice_tokens=voice_tokens)

    @classmethod
    def of_words(cls, question: str, words: tuple[str, ...] = ()) -> "SegmentInput":
        """Nobody seen, nobody heard, nothing measured: the question holds the text that is judged."""
        return replace(cls.of_tokens(question, (), (), None, None), words=words, in_question=True)

    @property
    def has_voice(self) -> bool:
        return self.mel is not None or self.voice_tokens is not None

    @property
    def shows_anything(self) -> bool:
        """Whether there is anything that a verdict could be about."""
        return bool(self.persons or self.has_voice or self.evidence or self.in_question)

    def __post_init__(self) -> None:
        lead = (len(self.persons), *self.frame_mask.shape[1:])
        ends = dict.fromkeys(("frame_mask", "mesh_mask", "times_s", "quality"), ())
        ends |= {"landmarks": (478, 3), "blendshapes": (len(BLENDSHAPES),), "pose": (3,), "gaze": (2,)}
        for name, end in (ends | {"crops": (3, *self.crops.shape[-1:] * 2)}).items():
            if getattr(self, name).shape != (*lead, *end):
                raise ValueError(f"face: {name} must be {[*lead, *end]}, got {list(getattr(self, name).shape)}")
        for name in ("landmarks", "blendshapes", "pose", "gaze"):
            if not np.isfinite(getattr(self, name)[self.frame_mask & self.mesh_mask]).all():
                raise ValueError(f"face: {name} hold NaN or infinity in frames marked as measured; mask those frames")
        if self.face_tokens is not None and (self.face_tokens.ndim != 3 or len(self.face_tokens) != len(self.persons)):
            wanted = f"{len(self.persons)} persons x tokens x width"
            raise ValueError(f"face: face_tokens must be {wanted}, got {list(self.face_tokens.shape)}")
        if self.face_tokens is None and not self.frame_mask.any(axis=1).all():
            raise ValueError(f"face: each of {', '.join(self.persons)} needs at least one frame; leave out who is not seen")
        if self.mel is not None and (self.mel.ndim != 2 or not self.mel.size or not np.isfinite(self.mel).all()):
            raise ValueError(f"voice: mel must be finite [bins, frames], got shape {list(self.mel.shape)}")
        if self.prosody.shape != (len(VOICE_CUES),):
            raise ValueError(f"voice: prosody must be {[len(VOICE_CUES)]}, got {list(self.prosody.shape)}")
        for scene in self.scenes:
            if scene.ndim != 3 or scene.shape[2] != 3 or scene.dtype != np.uint8:
                raise ValueError(f"scene: pictures must be uint8 [H, W, 3], got {scene.dtype} {list(scene.shape)}")

    def without(self, *modalities: Modality) -> "SegmentInput":
        """The same segment as if these had not been there."""
        faces = ("crops", "landmarks", "blendshapes", "pose", "gaze", "times_s", "frame_mask", "mesh_mask", "quality")
        gone = {
            "face": {name: getattr(self, name)[:0] for name in faces} | {"persons": (), "face_tokens": None},
            "voice": {"mel": None, "prosody": np.full_like(self.prosody, np.nan), "voice_tokens": None},
            "words": {"words": ()},
            "evidence": {"evidence": ()},
            "scene": {"scenes": ()},
        }
        return replace(self, **{name: value for modality in modalities for name, value in gone[modality].items()})


# faces


def persons_in(observation: Observation, segment: Segment, most: int) -> list[Person]:
    """The most present faces of the segment, in that order; the main person is always among them."""
    ranked, main = people_in(observation, segment), main_person(observation, segment)
    return [*ranked[: most - 1], main] if main in ranked[most:] else ranked[:most]


def face_arrays(people: Sequence[Person], segment: Segment, clip: Clip, max_side: int, config: FaceView) -> dict[str, np.ndarray]:
    """The face fields of SegmentInput: up to config.max_frames per person, evenly spread over the frames the person is in."""
    chosen = [_spread(inside(person, segment), config.max_frames) for person in people]
    frames, size = max((len(places) for places in chosen), default=0), config.image_size
    shape = (len(people), frames)
    out = {
        "crops": np.zeros((*shape, 3, size, size), np.uint8),
        "landmarks": np.zeros((*shape, 478, 3), np.float32),
        **{name: np.zeros((*shape, width), np.float32) for name, width in (("blendshapes", 52), ("pose", 3), ("gaze", 2))},
        "times_s": np.zeros(shape, np.float32),
        "quality": np.zeros(shape, np.float32),
        "frame_mask": np.zeros(shape, bool),
        "mesh_mask": np.zeros(shape, bool),
    }
    for p, (person, places) in enumerate(zip(people, chosen, strict=True)):
        mesh = person.found[places] != WHOLE_PICTURE
        out["frame_mask"][p, : len(places)], out["mesh_mask"][p, : len(places)] = True, mesh
        out["times_s"][p, : len(places)], out["quality"][p, : len(places)] = person.times_s[places], person.quality[places, 3]
        for name in ("blendshapes", "pose", "gaze"):
            # gaze is NaN behind closed lids; the blink is in the blendshapes
            out[name][p, : len(places)] = np.nan_to_num(getattr(person, name)[places])
    _cut(people, chosen, clip, max_side, config, out)
    return out


def of_looks(looks: Sequence[Look], config: FaceView) -> SegmentInput:
    """A segment in which one person shows this face, for the encoder and its heads. The gaze was not measured."""
    count, size = len(looks), config.image_size
    crops = [aligned_crop(look.image, look.mesh, size, config.margin) for look in looks]
    meshes = [on_crop(look.mesh, size, config.margin) / size for look in looks]
    arrays = {
        "crops": np.stack(crops).transpose(0, 3, 1, 2),
        "landmarks": np.stack(meshes).astype(np.float32),
        "blendshapes": np.stack([look.blendshapes for look in looks]).astype(np.float32),
        "pose": np.stack([look.pose for look in looks]).astype(np.float32),
        "gaze": np.zeros((count, 2), np.float32),
        "times_s": np.array([look.time_s for look in looks], np.float32),
        "quality": np.ones(count, np.float32),
        "frame_mask": np.ones(count, bool),
        "mesh_mask": np.ones(count, bool),
    }
    nothing = SegmentInput.of_tokens("", (), (), None, None)
    return replace(nothing, persons=("p1",), main="p1", **{name: values[None] for name, values in arrays.items()})


def _spread(places: np.ndarray, most: int) -> np.ndarray:
    return places if len(places) <= most else places[np.linspace(0, len(places) - 1, most).round().astype(int)]


def _cut(
    people: Sequence[Person], chosen: list[np.ndarray], clip: Clip, max_side: int, config: FaceView, out: dict[str, np.ndarray]
) -> None:
    """Fill crops and landmarks. Each frame is decoded once, for all who are in it."""
    wanted = [(float(person.times_s[at]), p, t) for p, person in enumerate(people) for t, at in enumerate(chosen[p])]
    meshes = [person.landmarks(places) for person, places in zip(people, chosen, strict=True)]  # [T, 478, 3] px each
    times_s = sorted({time_s for time_s, _, _ in wanted})
    for start in range(0, len(times_s), AT_ONCE):
        some = times_s[start : start + AT_ONCE]
        frames = dict(zip(some, clip.frames(some, max_side), strict=True))
        for time_s, p, t in (one for one in wanted if one[0] in frames):
            if out["mesh_mask"][p, t]:
                crop, out["landmarks"][p, t] = _aligned(frames[time_s], meshes[p][t], config.image_size, config.margin)
            else:
                crop = _boxed(frames[time_s], people[p].boxes[chosen[p][t]], config.image_size)
            out["crops"][p, t] = crop.transpose(2, 0, 1)


def _aligned(frame: Frame, mesh: np.ndarray, size: int, margin: float) -> tuple[np.ndarray, np.ndarray]:
    """Crop [S, S, 3] and the mesh [478, 3] in crop units; z keeps the scale of x and y."""
    mesh = mesh * frame.scale
    return aligned_crop(frame.image, mesh, size, margin), on_crop(mesh, size, margin) / size


def _boxed(frame: Frame, box: np.ndarray, size: int) -> np.ndarray:
    """A face without a mesh: its box, as it is."""
    x, y, width, height = (box * frame.scale).round().astype(int)
    part = frame.image[max(y, 0) : max(y + height, 1), max(x, 0) : max(x + width, 1)]
    return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)


# voice


def spoken_in(observation: Observation, segment: Segment) -> float:
    """Seconds of the segment in which somebody speaks, seen or not."""
    return sum(segment.overlap(*span) for span in (observation.voice.spans if observation.voice else ()))


def log_mel(observation: Observation, segment: Segment, clip: Clip, bins: int) -> np.ndarray | None:
    """float32 [M, T'] of the segment's sound; None when hardly anybody speaks in it."""
    if spoken_in(observation, segment) < MIN_SPEECH_S:
        return None
    sound = clip.audio(segment.start_s, segment.end_s)
    if len(sound) < MIN_SPEECH_S * RATE:
        return None
    return mel_of(sound, bins)


def mel_of(sound: np.ndarray, bins: int) -> np.ndarray:
    """float32 [n] at 16 kHz -> [M, n / 160], Whisper's own features without its padding to 30 s."""
    return _extractor(bins)(sound, padding=0).astype(np.float32)


@cache
def _extractor(bins: int) -> FeatureExtractor:
    return FeatureExtractor(feature_size=bins, sampling_rate=RATE)


def prosody(observation: Observation, segment: Segment) -> np.ndarray:
    """float32 [C]: mean over the speech spans in the segment, weighted by shared seconds; NaN where nothing was measured.

    A cue measured in no span of the segment (each was too short) takes its value over all speech.
    """
    out = np.full(len(VOICE_CUES), np.nan, np.float32)
    for c, name in enumerate(VOICE_CUES):
        measured = [cue for cue in observation.voice.cues if cue.cue == name] if observation.voice else []
        shared = [(segment.overlap(cue.start_s, cue.end_s), cue.value) for cue in measured[1:]]  # the first is over all speech
        shared = [(weight, value) for weight, value in shared if weight > 0] or [(1.0, cue.value) for cue in measured[:1]]
        if shared:
            out[c] = np.average([value for _, value in shared], weights=[weight for weight, _ in shared])
    return out


# words


def utterances(observation: Observation, segment: Segment, languages: Collection[str]) -> tuple[str, ...]:
    """What is said in the segment as one plain line, after up to BEFORE utterances that come before it. Empty where nothing is
    said, or in another language. An utterance belongs to the segment that its middle lies in."""
    words = observation.words
    if words is None or words.language not in languages:
        return ()
    middles = [(said.start_s + said.end_s) / 2 for said in words.segments]
    now = [n for n, middle in enumerate(middles) if segment.start_s <= middle < segment.end_s]
    if not now:
        return ()
    texts = [said.text for said in words.segments]
    return spoken(texts[max(now[0] - BEFORE, 0) : now[0]], [texts[n] for n in now])


def spoken(before: Sequence[str], said: Sequence[str]) -> tuple[str, ...]:
    """Untrusted utterances as plain lines, the judged ones joined and last; empty where those say nothing."""
    lines = [line for text in before if (line := sanitize(text))]
    last = sanitize(" ".join(said))
    return (*lines, last) if last else ()


# scene


def scene_pictures(observation: Observation, segment: Segment, clip: Clip, most: int, max_side: int) -> tuple[np.ndarray, ...]:
    """Up to `most` representative frames of the segment, else the one in its middle; none of a clip without pictures."""
    if not (most and clip.has_video):
        return ()
    inside = np.array([time_s for time_s in observation.scene_times_s if segment.start_s <= time_s <= segment.end_s])
    times_s = _spread(inside, most) if len(inside) else [(segment.start_s + segment.end_s) / 2]
    return tuple(frame.image for frame in clip.frames(times_s, max_side))
