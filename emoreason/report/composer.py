"""The composer: a deterministic judge that needs no model. It scores cues, fuses modalities, and says in 2-5 sentences
what it saw.

It is the honest fallback where no model is loaded: its probabilities are not calibrated, it knows prototypes and no context,
and it abstains when there is too little to see or hear.
"""

from dataclasses import replace

import numpy as np

from emoreason.perception.cues import cues as measured_cues
from emoreason.perception.observation import Cue, Observation, Person
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment, segments
from emoreason.report import affect, wording
from emoreason.report.judgement import Judged, Judgement, conclude
from emoreason.scoring.decision import pool

NAME = "composer"


def judge(observation: Observation) -> Judged:
    """Verdict and explanation for the clip and each segment, and scores per person and frame."""
    cues = measured_cues(observation)
    parts = [_judge_span(observation, segment, cues) for segment in segments(observation)]
    whole = Segment(0.0, observation.source.duration_s)
    frames = {p.person: affect.face_frames(p, observation.speaking.get(p.person, ())) for p in observation.people}
    voice = affect.voice_affect(_clip_voice_cues(observation), observation.voice.speech_s) if observation.voice else None
    people = {}
    for person in observation.people:
        face = _face(observation, person, person.start_s, person.end_s)
        people[person.person] = None if face is None else face.p
    judgements = [judgement for judgement, _ in parts]
    return Judged(
        clip=judgements[0] if len(judgements) == 1 else _judge_clip(observation, whole, parts, cues),
        segments=judgements,
        frames=frames,
        people=people,
        voice=None if voice is None else voice.p,
        generator=NAME,
    )


def _judge_span(observation: Observation, segment: Segment, cues: list[Cue]) -> tuple[Judgement, float]:
    """The judgement of a segment and its weight in the clip: how much was measured x how much was shown."""
    person = main_person(observation, segment)
    parts = _modalities(observation, segment, person)
    p = affect.fuse(parts)
    seconds = min(sum(part.weight for part in parts.values()), segment.end_s - segment.start_s) or (1e-3 if parts else 0.0)
    weight = 0.0 if p is None else seconds * float(affect.expressed(p))
    return _judgement(observation, segment, person, p, parts, cues), weight


def _judge_clip(
    observation: Observation, whole: Segment, parts: list[tuple[Judgement, float]], cues: list[Cue]
) -> Judgement:
    """The segments' probabilities pooled by weight; the text is composed from the strongest cues of the whole clip."""
    person = main_person(observation, whole)
    p = pool([judgement.probabilities for judgement, _ in parts], [weight for _, weight in parts])
    return _judgement(observation, whole, person, p, _modalities(observation, whole, person), cues)


def _face(observation: Observation, person: Person, start_s: float, end_s: float) -> affect.Affect | None:
    return affect.face_affect(person, start_s, end_s, observation.speaking.get(person.person, ()))


def _modalities(observation: Observation, segment: Segment, person: Person | None) -> dict[str, affect.Affect]:
    parts = {}
    if person is not None and (face := _face(observation, person, segment.start_s, segment.end_s)):
        parts["face"] = face
    if observation.voice is not None:
        speech = sum(segment.overlap(*span) for span in observation.voice.spans)
        if voice := affect.voice_affect(affect.voice_cues_in(observation, segment.start_s, segment.end_s), speech):
            parts["voice"] = voice
    if observation.words is not None:
        said = [w.text for w in observation.words.segments if segment.overlap(w.start_s, w.end_s) > 0]
        if words := affect.words_affect(" ".join(said)):
            parts["words"] = words
    return parts


def _judgement(
    observation: Observation,
    segment: Segment,
    person: Person | None,
    p: np.ndarray | None,
    parts: dict[str, affect.Affect],
    cues: list[Cue],
) -> Judgement:
    told = conclude(p, observation, segment.start_s, segment.end_s, person and person.person)
    inside = [segment.part_of(cue) for cue in cues if segment.holds(cue)]
    text = wording.explain(observation, inside, told.person, p, told.emotion, told.reason, parts)
    return replace(told, text=text)


def _clip_voice_cues(observation: Observation):
    """The clip-wide values, which come first, one of each kind."""
    first = {}
    for cue in observation.voice.cues:
        first.setdefault(cue.cue, cue)
    return list(first.values())
