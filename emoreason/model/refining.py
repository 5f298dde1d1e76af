"""Refining: the model's own head reads the action units of every face of an Observation. The language model is not asked."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from emoreason.media.clip import Clip
from emoreason.model.engines import Engine
from emoreason.model.head_spec import UNITS_HEAD
from emoreason.model.processing import EmoReasonProcessor
from emoreason.model.segment_input import SegmentInput
from emoreason.perception.observation import Observation
from emoreason.perception.refinement import HeadUnits, Refinement
from emoreason.perception.segments import Segment, segments

BATCH = 8  # segments at a time


Faces = Callable[[Observation, Segment, Clip], SegmentInput]  # as `EmoReasonProcessor.prepare_faces`


def refine(
    engine: Engine,
    processor: EmoReasonProcessor,
    observation: Observation,
    clip: Clip,
    by: str | None = None,
    faces: Faces | None = None,
) -> Observation:
    """The observation with the head's opinion on the faces of each segment, as far as the segments show them to the model.

    `by`: sha256 of the weights. faces: cuts them, or remembers those that were cut; the processor when not given. The
    observation as it is where the engine has no such head or nobody is in view. Raises MediaError when the clip cannot be read.
    """
    if UNITS_HEAD not in engine.heads or not observation.people:
        return observation
    judged: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for inputs in _batches(faces or processor.prepare_faces, observation, clip):
        logits = engine.perceive(processor(inputs, return_tensors="np"))[UNITS_HEAD]  # [B, P, T, K]
        for given, rows in zip(inputs, logits, strict=True):
            for p, name in enumerate(given.persons):
                frames = np.flatnonzero(given.frame_mask[p])
                judged.setdefault(name, []).append((given.times_s[p, frames].astype(float), rows[p, frames]))
    aus = engine.heads[UNITS_HEAD].spec.labels
    return replace(observation, refinement=Refinement(by, {name: _one(aus, parts) for name, parts in judged.items()}))


def _batches(faces: Faces, observation: Observation, clip: Clip) -> Iterator[list[SegmentInput]]:
    waiting: list[SegmentInput] = []
    for segment in segments(observation):
        given = faces(observation, segment, clip)
        waiting += [given] if given.persons else []
        if len(waiting) == BATCH:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _one(aus: tuple[str, ...], parts: list[tuple[np.ndarray, np.ndarray]]) -> HeadUnits:
    """In the order of time; a frame at the border of two segments counts once."""
    times, first = np.unique(np.concatenate([times for times, _ in parts]), return_index=True)
    return HeadUnits(aus, times, np.concatenate([logits for _, logits in parts])[first])
