"""From the judged segments of a clip to what is said about the whole of it: its verdict, its people, its voice.

Letters: T frames of a segment, N frames of a track, K labels of a head, E the eight emotions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.model.fusion import Source, clip_evidence, fuse
from emoreason.model.head_spec import HeadCalibration
from emoreason.model.segment_input import SegmentInput
from emoreason.model.verdict import segment_weight
from emoreason.perception.interpolation import interpolated
from emoreason.perception.observation import Observation, Person
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment
from emoreason.report.judgement import Judgement, conclude
from emoreason.scoring.decision import pool

FACE_HEAD, VOICE_HEAD = "emotion", "voice_emotion"
CITED = 2  # segments whose texts make up the explanation of a longer clip

Face = tuple[np.ndarray, np.ndarray, np.ndarray]  # times_s [T], logits [T, K], quality [T]; judged frames only


@dataclass(frozen=True)
class Part:
    """One judged segment, its weight in the clip, and what the heads said, before calibration. faces: by person; voice: [K]."""

    judgement: Judgement
    weight: float
    speech_s: float
    faces: Mapping[str, Face]
    voice: np.ndarray | None


def part(judgement: Judgement, given: SegmentInput, heads: Mapping[str, np.ndarray]) -> Part:
    """heads: the segment's own logits by name, [P, T, K] of faces (possibly padded) and [K] of the voice."""
    faces = _faces(given, heads[FACE_HEAD]) if FACE_HEAD in heads else {}
    voice = heads.get(VOICE_HEAD) if given.has_voice else None
    weight = segment_weight(given, judgement.probabilities, judgement.scheme)
    return Part(judgement, weight, given.speech_s, faces, voice)


def clip_judgement(
    observation: Observation, parts: Sequence[Part], scheme: LabelSet = EMOTION_SET, least: float | None = None
) -> Judgement:
    """The segments' probabilities pooled by weight; told by the strongest segments that agree with the verdict."""
    whole = Segment(0.0, observation.source.duration_s)
    person = main_person(observation, whole)
    p = pool([part.judgement.probabilities for part in parts], [part.weight for part in parts])
    told = conclude(p, observation, whole.start_s, whole.end_s, person and person.person, scheme, least)
    usable = [part for part in parts if part.judgement.probabilities is not None and part.weight > 0]
    agreeing = [part for part in usable if part.judgement.emotion == told.emotion] or usable
    strongest = sorted(agreeing, key=lambda part: -part.weight)[:CITED]
    texts = [part.judgement.text for part in sorted(strongest, key=lambda part: part.judgement.start_s)]
    return replace(told, text=" ".join(texts) if texts else plain_text("", told))


def plain_text(text: str, told: Judgement) -> str:
    """The model's text; what is missing when it abstains; the bare verdict where the model wrote nothing."""
    if told.emotion is None:
        return f"{'' if told.probabilities is None else text} No emotion is named: {told.reason}.".strip()
    score = told.probabilities[told.scheme.labels.index(told.emotion)]
    return text or f"Taken together this appears as {told.emotion} (score {score:.2f})."


def frame_probabilities(head: HeadCalibration | None, person: Person, parts: Sequence[Part]) -> np.ndarray | None:
    """[N, E] of a track: the judged frames, and those between them as long as no gap is too wide; NaN elsewhere."""
    judged = [part.faces[person.person] for part in parts if person.person in part.faces]
    if not judged:
        return None
    times, first = np.unique(np.concatenate([times for times, _, _ in judged]), return_index=True)
    p = calibrated(head, np.concatenate([logits for _, logits, _ in judged]))[first]  # [n, E]
    out, known = interpolated(person.times_s, times, p)
    out[~known] = np.nan
    return out


def person_probabilities(head: HeadCalibration | None, name: str, parts: Sequence[Part]) -> np.ndarray | None:
    """[E] of a face over all segments, frames weighted by quality."""
    judged = [part.faces[name] for part in parts if name in part.faces]
    if not judged:
        return None
    logits, quality = (np.concatenate([one[n] for one in judged]) for n in (1, 2))
    return calibrated(head, clip_evidence(logits, quality, quality > 0)) if (quality > 0).any() else None


def voice_probabilities(head: HeadCalibration | None, parts: Sequence[Part]) -> np.ndarray | None:
    """[E] mean over segments, weighted by seconds of speech."""
    heard = [part for part in parts if part.voice is not None and part.speech_s > 0]
    if not heard:
        return None
    return calibrated(head, np.average([part.voice for part in heard], axis=0, weights=[part.speech_s for part in heard]))


def calibrated(head: HeadCalibration, logits: np.ndarray) -> np.ndarray:
    """[..., E] what one head alone says, under a uniform prior."""
    return np.exp(fuse([Source(head.spec.labels, head.log_evidence(logits))], EMOTIONS).astype(float))


def _faces(given: SegmentInput, logits: np.ndarray) -> dict[str, Face]:
    faces = {}
    for row, name in enumerate(given.persons):
        valid = np.flatnonzero(given.frame_mask[row])
        if len(valid):
            faces[name] = (given.times_s[row][valid].astype(float), logits[row, valid], np.nan_to_num(given.quality[row][valid]))
    return faces
