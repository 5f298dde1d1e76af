"""Which modality moves the answer? Each is dropped, put out of order, or taken from another clip.

A judge without weights is changed at its measurements: faces, voice, words. A model is changed at its input: soft tokens, their
parts, evidence lines. What stays the same under a swap was not looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

import numpy as np

from emoreason.evaluation.audits.trials import Change, Changed, Condition, Plan
from emoreason.evaluation.inputs import SampleInput
from emoreason.evaluation.tasks import EvalContext
from emoreason.inference.judges import Judge
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.observation import FaceTable, Observation
from emoreason.perception.segments import segments

BLOCK = 20  # mel frames of 10 ms that stay together when a voice is put out of order: about a syllable
_GEOMETRY = ("landmarks", "blendshapes", "pose", "gaze")
_FRAMES = ("crops", *_GEOMETRY, "mesh_mask")
_FACES = (*_FRAMES, "times_s", "frame_mask", "quality")

Inputs = Callable[[SegmentInput, SegmentInput, Random], SegmentInput | None]
Measured = Callable[[Observation, Observation], Observation | None]


def plan(context: EvalContext, inputs: Sequence[SampleInput]) -> Plan:
    """Of each sample, its donor among `inputs` chosen by its id."""
    donors = {one.sample.id: donor(one, inputs) for one in inputs}
    if not context.judge.writes:
        return Plan(list(MEASURED), lambda one: [(c, _at_measurements(do, donors[one.sample.id])) for c, do in MEASURED.items()])
    changes = [*((c, partial(_at_input, do)) for c, do in INPUTS.items()), (SOFT, lambda donated: _text_alone)]
    return Plan([c for c, _ in changes], lambda one: [(c, change(donors[one.sample.id])) for c, change in changes])


def drops(context: EvalContext, inputs: Sequence[SampleInput]) -> Plan:
    """Of the same conditions those that take something away: the ablations that need no training."""
    whole = plan(context, inputs)
    kept = [condition for condition in whole.conditions if condition.name.endswith("_drop")]
    return Plan(kept, lambda one: [(condition, change) for condition, change in whole.changes(one) if condition in kept])


def donor(one: SampleInput, inputs: Sequence[SampleInput]) -> SampleInput | None:
    """Somebody else's clip that shows something else: by the data's labels, which the judge never sees. None without one."""
    others = [other for other in inputs if other.sample.truth != one.sample.truth and other.sample.group != one.sample.group]
    return Random(f"donor {one.sample.id}").choice(sorted(others, key=lambda other: other.sample.id)) if others else None


# at the measurements


def _at_measurements(change: Measured, other: SampleInput | None) -> Change:
    def changed(judge: Judge, original: SampleInput) -> Changed:
        donated = None if other is None else other.observation
        observation = change(original.observation, donated)
        return None if observation is None else (judge, replace(original, observation=observation))

    return changed


def _dropped(part: str) -> Measured:
    return lambda own, _: replace(own, **{part: None}) if getattr(own, part) else None


def _swapped(part: str) -> Measured:
    return lambda own, other: (
        replace(own, **{part: getattr(other, part)}) if other and getattr(own, part) and getattr(other, part) else None
    )


def _without_face(own: Observation, _: Observation | None) -> Observation | None:
    return replace(own, faces=FaceTable([]), speaking={}) if own.people else None


def _other_face(own: Observation, other: Observation | None) -> Observation | None:
    """The faces with their times; who speaks is not known of them."""
    if other is None or not (own.people and other.people):
        return None
    return replace(own, faces=other.faces, sample_times_s=other.sample_times_s, sample_frames=other.sample_frames, speaking={})


MEASURED: dict[Condition, Measured] = {
    Condition("face_drop", "no face", "face"): _without_face,
    Condition("face_swap", "another clip's face", "face"): _other_face,
    Condition("voice_drop", "no voice", "voice"): _dropped("voice"),
    Condition("voice_swap", "another clip's voice", "voice"): _swapped("voice"),
    Condition("words_drop", "no words", "words"): _dropped("words"),
    Condition("words_swap", "another clip's words", "words"): _swapped("words"),
}


# at the input of a model


def _at_input(change: Inputs, other: SampleInput | None) -> Change:
    """Applies where at least one segment has what is changed; the segments of a sample are changed by the same donor."""

    def changed(judge: Judge, original: SampleInput) -> Changed:
        rng, trial = Random(original.sample.id), Random(original.sample.id)
        given = None if other is None else _prepared(judge, other)
        own = [_prepared(judge, original, place) for place in range(len(segments(original.observation)))]
        if all(change(one, given, trial) is None for one in own):
            return None
        return judge.changed(lambda one: change(one, given, rng)), original

    return changed


def _prepared(judge: Judge, original: SampleInput, place: int = 0) -> SegmentInput:
    return judge.prepare(original.observation, segments(original.observation)[place], original.clip, "")


def _text_alone(judge: Judge, original: SampleInput) -> Changed:
    """The evidence lines without any soft token: the text path of the same model."""
    alone = judge.on_text_alone()
    return None if alone is None else (alone, original)


def _without(part: str) -> Inputs:
    has = {"face": lambda own: own.persons, "voice": lambda own: own.mel is not None, "evidence": lambda own: own.evidence}
    return lambda own, other, rng: own.without(part) if has[part](own) else None


def _nothing_said(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    """Neither quoted nor read."""
    kept = tuple(line for line in own.evidence if line.cue.modality != "words")
    return replace(own, evidence=kept, words=()) if own.words or len(kept) < len(own.evidence) else None


def _without_geometry(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    """As if no mesh had fitted: the crops alone."""
    return replace(own, mesh_mask=np.zeros_like(own.mesh_mask)) if own.mesh_mask.any() else None


def _frames_mixed(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    """The frames of each face in another order at the same times."""
    if not len(own.persons) or own.frame_mask.sum(axis=1).max() < 2:
        return None
    fields = {name: getattr(own, name).copy() for name in _FRAMES}
    for row, valid in enumerate(own.frame_mask):
        places = np.flatnonzero(valid)
        mixed = rng.sample(places.tolist(), len(places))
        for name in _FRAMES:
            fields[name][row, places] = getattr(own, name)[row, mixed]
    return replace(own, **fields)


def _sound_mixed(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    if own.mel is None or own.mel.shape[1] < 2 * BLOCK:
        return None
    blocks = [own.mel[:, start : start + BLOCK] for start in range(0, own.mel.shape[1], BLOCK)]
    return replace(own, mel=np.concatenate(rng.sample(blocks, len(blocks)), axis=1))


def _lines_mixed(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    return replace(own, evidence=tuple(rng.sample(own.evidence, len(own.evidence)))) if len(own.evidence) > 1 else None


def _face_of(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    """As many faces as both clips have, under the names of this one."""
    if other is None or not (own.persons and other.persons):
        return None
    n = min(len(own.persons), len(other.persons))
    return replace(own, persons=own.persons[:n], **{name: getattr(other, name)[:n] for name in _FACES})


def _geometry_of(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    """Landmarks, shapes, pose and gaze of the other clip's first face, spread over this one's frames; the crops stay."""
    if other is None or not own.mesh_mask.any() or not len(other.persons) or not other.mesh_mask[0].any():
        return None
    places = np.flatnonzero(other.mesh_mask[0])
    spread = places[np.linspace(0, len(places) - 1, own.mesh_mask.shape[1]).round().astype(int)]
    return replace(own, **{name: np.stack([getattr(other, name)[0, spread]] * len(own.persons)) for name in _GEOMETRY})


def _voice_of(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    return replace(own, mel=other.mel, prosody=other.prosody) if other and own.mel is not None and other.mel is not None else None


def _lines_of(own: SegmentInput, other: SegmentInput | None, rng: Random) -> SegmentInput | None:
    return replace(own, evidence=other.evidence) if other and own.evidence and other.evidence else None


SOFT = Condition("soft_drop", "no soft tokens (evidence lines alone)", "soft tokens")
INPUTS: dict[Condition, Inputs] = {
    Condition("face_drop", "no face", "face"): _without("face"),
    Condition("face_shuffle", "frames out of order", "face"): _frames_mixed,
    Condition("face_swap", "another clip's face", "face"): _face_of,
    Condition("geometry_drop", "no landmarks, crops alone", "region geometry"): _without_geometry,
    Condition("geometry_swap", "another clip's landmarks", "region geometry"): _geometry_of,
    Condition("voice_drop", "no voice", "voice"): _without("voice"),
    Condition("voice_shuffle", "syllables out of order", "voice"): _sound_mixed,
    Condition("voice_swap", "another clip's voice", "voice"): _voice_of,
    Condition("words_drop", "no words", "words"): _nothing_said,
    Condition("evidence_drop", "no evidence lines", "evidence lines"): _without("evidence"),
    Condition("evidence_shuffle", "lines out of order", "evidence lines"): _lines_mixed,
    Condition("evidence_swap", "another clip's lines", "evidence lines"): _lines_of,
}
