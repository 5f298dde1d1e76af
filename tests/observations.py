"""Observations made of numbers, for tests of everything that comes after perception. No file, no detector, no model."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoreason.labels.action_units import ACTIVE, AUS, SIDED_AUS, Reliability
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media.source import Source
from emoreason.perception.au_series import AuEvent, AuSeries
from emoreason.perception.observation import (
    FaceTable,
    Note,
    Observation,
    Voice,
    VoiceCue,
    Words,
    WordSegment,
)
from emoreason.perception.settings import PerceptionSettings

Event = tuple[float, float, float, float, str]  # onset_s, apex_s, offset_s, peak, side
HOP_S = 0.05  # of the voice series


def make_observation(
    duration_s: float = 10.0,
    fps: float = 12.0,
    people: Sequence[Mapping[str, Any]] = (),
    voice: Mapping[str, tuple[float, str]] | None = None,
    words: Sequence[tuple[float, float, str]] | None = None,
    *,
    speech: Sequence[tuple[float, float]] | None = None,
    language: str = "en",
    path: str = "/data/clip.mp4",
    size: tuple[int, int] = (640, 360),
    cuts_s: Sequence[float] = (),
    notes: Sequence[Note] = (),
    has_video: bool = True,
    shard_rows: int = 1000,
    reliability: Mapping[str, Reliability] | None = None,
) -> Observation:
    """An Observation whose series agree with the events it is told.

    people: dicts with `start_s`, `end_s` (default: whole clip), `au` {"AU12": [(onset, apex, offset, peak, side), ...]},
        `speaking` [(start, end), ...], `baseline` {au: intensity outside events}, `gaps` [(start, end), ...] without a
        face, `pose` (pitch, yaw, roll) and `gaze` (yaw, pitch) in degrees, constant or a function of times_s.
    voice: {cue: (value, level)} over all speech; None = no voice. words: [(start, end, text)]; None = no words.
    speech: spans of speech; default: the words' spans, else everybody's `speaking`, else the whole clip.
    Persons are p1, p2, ... in the order given. Units without an event are 0 (or their baseline): measured, and absent.
    """
    times_s = np.arange(0.0, duration_s, 1.0 / fps) if has_video else np.zeros(0)
    rows = [_track(n, person, times_s, duration_s, len(people), size) for n, person in enumerate(people, start=1)]
    picture = (fps, *size) if has_video else (None, None, None)
    kind = "video" if has_video else "audio"
    observation = Observation(
        source=Source(path, "ab" * 32, duration_s, *picture, has_video, voice is not None, kind),
        settings=PerceptionSettings(fps=fps).to_dict(),
        sample_times_s=times_s,
        sample_frames=np.arange(len(times_s)),
        faces=FaceTable(_shards(rows, shard_rows)),
        cuts_s=tuple(cuts_s),
        voice=None if voice is None else _voice(voice, _spans(speech, words, people, duration_s), duration_s),
        words=None if words is None else Words(language, 0.97, tuple(WordSegment(*segment) for segment in words)),
        speaking={f"p{n}": tuple(tuple(s) for s in person.get("speaking", ())) for n, person in enumerate(people, start=1)},
        scene_times_s=(),
        notes=tuple(notes),
    )
    for person in observation.people:
        spec = people[person.face_id - 1]
        person.__dict__["action_units"] = make_series(person.times_s, spec.get("au", {}), spec.get("baseline", {}), reliability)
    return observation


def make_series(
    times_s: np.ndarray,
    events: Mapping[str, Sequence[Event]],
    baseline: Mapping[str, float] | None = None,
    reliability: Mapping[str, Reliability] | None = None,
) -> AuSeries:
    """A series of raised-cosine bumps that cross ACTIVE at onset and offset and reach `peak` at the apex."""
    intensity = np.zeros((len(times_s), len(AUS), 2))
    for au, value in (baseline or {}).items():
        intensity[:, AUS.index(au)] = value
    for au, list_of_events in events.items():
        for onset, apex, offset, peak, side in list_of_events:
            bump = _bump(times_s, onset, apex, offset, peak)
            sides = (0, 1) if side == "both" or au not in SIDED_AUS else (0,) if side == "left" else (1,)
            for column in sides:
                curve = intensity[:, AUS.index(au), column]
                np.maximum(curve, bump, out=curve)
    return AuSeries(
        times_s=times_s,
        intensity=intensity,
        events={au: [AuEvent(*event) for event in found] for au, found in events.items() if found},
        source=dict.fromkeys(AUS, "fused"),
        reliability=dict.fromkeys(AUS, "high") | dict(reliability or {}),
    )


def _bump(times_s: np.ndarray, onset: float, apex: float, offset: float, peak: float) -> np.ndarray:
    """[T] 0 well outside, ACTIVE at onset and offset, `peak` at the apex; smooth."""
    before, after = times_s <= apex, times_s > apex
    reach = np.arccos(np.clip(1 - 2 * ACTIVE / max(peak, ACTIVE), -1, 1)) / np.pi  # share of the half wave that is below ACTIVE
    phase = np.zeros_like(times_s)
    for half, edge in ((before, onset), (after, offset)):
        length = max(abs(apex - edge), 1e-6) / max(1 - reach, 1e-6)
        phase[half] = 1 - np.abs(times_s[half] - apex) / length
    return peak * (1 - np.cos(np.pi * np.clip(phase, 0, 1))) / 2


def _track(
    n: int, person: Mapping[str, Any], times_s: np.ndarray, duration_s: float, count: int, size: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Rows of one person; the faces stand side by side and sway a little. Landmarks are one mesh of noise, repeated."""
    start, end = person.get("start_s", 0.0), person.get("end_s", duration_s)
    seen = (times_s >= start) & (times_s <= end)
    for gap_start, gap_end in person.get("gaps", ()):
        seen &= ~((times_s >= gap_start) & (times_s < gap_end))
    sample = np.flatnonzero(seen).astype(np.int32)
    times = times_s[seen]
    height = 0.5 * size[1]
    x = size[0] * (n - 0.5) / count - height / 2 + 4 * np.sin(times)
    box = np.stack([x, np.full_like(x, 0.2 * size[1]), np.full_like(x, 0.8 * height), np.full_like(x, height)], axis=1)
    rows = len(sample)
    return {
        "sample": sample,
        "face_id": np.full(rows, n, np.int32),
        "found": np.ones(rows, np.uint8),
        "box": box.astype(np.float32),
        "blendshapes": np.zeros((rows, 52), np.float32),
        "pose": _course(person.get("pose", (0.0, 0.0, 0.0)), times, 3),
        "gaze": _course(person.get("gaze", (0.0, 0.0)), times, 2),
        "geometry": np.zeros((rows, 1), np.float32),
        "quality": np.broadcast_to(np.array([60.0, 0.8, 0.5, 0.9], np.float32), (rows, 4)),
    }


def _course(value: Any, times_s: np.ndarray, width: int) -> np.ndarray:
    course = value(times_s) if callable(value) else np.broadcast_to(np.asarray(value, float), (len(times_s), width))
    return np.ascontiguousarray(course, np.float32)


def _shards(rows: Sequence[dict[str, np.ndarray]], shard_rows: int) -> list[dict[str, np.ndarray]]:
    """Rows of all persons in order of time, cut into shards."""
    if not rows or not sum(len(part["sample"]) for part in rows):
        return []
    order = np.argsort(np.concatenate([part["sample"] for part in rows]), kind="stable")
    table = {name: np.concatenate([part[name] for part in rows])[order] for name in rows[0]}
    mesh = np.random.default_rng(0).random((1, 478, 3)).astype(np.float16)
    table["landmarks"] = np.broadcast_to(mesh, (len(order), 478, 3))  # a view: an hour of it costs nothing
    return [{name: column[i : i + shard_rows] for name, column in table.items()} for i in range(0, len(order), shard_rows)]


def _spans(speech: Any, words: Any, people: Any, duration_s: float) -> tuple[tuple[float, float], ...]:
    turns = [span for person in people for span in person.get("speaking", ())]
    spans = speech or [word[:2] for word in words or ()] or turns or [(0.0, duration_s)]
    return tuple(sorted((float(start), float(end)) for start, end in spans))


def _voice(cues: Mapping[str, tuple[float, str]], spans: tuple[tuple[float, float], ...], duration_s: float) -> Voice:
    """Pitch and loudness wander around the told values while there is speech."""
    times = np.arange(0.0, duration_s, HOP_S)
    speaking = np.zeros(len(times), bool)
    for start, end in spans:
        speaking |= (times >= start) & (times < end)
    pitch, loudness = cues.get("pitch", (160.0, ""))[0], cues.get("loudness", (-25.0, ""))[0]
    return Voice(
        spans=spans,
        cues=tuple(
            VoiceCue(cue, value, VOICE_CUES[cue].unit, level, spans[0][0], spans[-1][1]) for cue, (value, level) in cues.items()
        ),
        hop_s=HOP_S,
        pitch_hz=np.where(speaking, pitch * (1 + 0.1 * np.sin(3 * times)), np.nan),
        loudness_db=np.where(speaking, loudness + 3 * np.sin(5 * times), -60.0),
    )
