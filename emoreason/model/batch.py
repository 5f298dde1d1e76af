"""Batches: what the processor makes of segments and the encoders take, as NumPy arrays or as torch tensors, never both in one.

Whoever runs a network decides: `as_tensors` and `as_arrays` turn one into the other without copying on the CPU.
Letters: B batch, P persons, T frames, R regions, Q tokens, N tokens of a person, S sequence, M mel bins, C vocal cues, D width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np

from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.perception.regions import regions

REGION_NAMES = (*regions(), "head_gaze")  # the last has no points of its own: head pose and gaze

POOLED_FRAMES = 4  # mel frames of one pooled position of the voice encoder: graphs take multiples of it

Array = Any  # numpy.ndarray or torch.Tensor


@dataclass
class FaceBatch:
    """Faces of a batch of segments. `frame_mask`: a face was found; `mesh_mask`: it also has landmarks (else whole-picture
    fallback).

    Raises ValueError for shapes that do not belong together, and for NaN or infinity in frames that are marked as measured.
    """

    crops: Array  # [B, P, T, 3, H, W] uint8, or float 0..1
    landmarks: Array  # [B, P, T, 478, 3] crop units
    blendshapes: Array  # [B, P, T, 52] 0..1
    pose: Array  # [B, P, T, 3] degrees
    gaze: Array  # [B, P, T, 2] degrees
    times_s: Array  # [B, P, T]
    frame_mask: Array  # [B, P, T] bool
    mesh_mask: Array  # [B, P, T] bool

    def __post_init__(self) -> None:
        lead = tuple(self.frame_mask.shape)
        ends = {"landmarks": (478, 3), "blendshapes": (52,), "pose": (3,), "gaze": (2,), "times_s": (), "mesh_mask": ()}
        for name, end in ends.items():
            if tuple(getattr(self, name).shape) != (*lead, *end):
                raise ValueError(f"face batch: {name} must be {[*lead, *end]}, got {list(getattr(self, name).shape)}")
        if tuple(self.crops.shape[:4]) != (*lead, 3) or self.crops.shape[-1] != self.crops.shape[-2]:
            raise ValueError(f"face batch: crops must be {[*lead, 3]} + a square, got {list(self.crops.shape)}")
        measured = self.frame_mask & self.mesh_mask
        for name in ("landmarks", "blendshapes", "pose", "gaze"):
            if not (abs(getattr(self, name)[measured]) < float("inf")).all():  # nor is NaN
                raise ValueError(f"face batch: {name} of frames marked as measured hold NaN or infinity; mask those frames")


@dataclass
class FaceOutput:
    """What the face encoder says of every person: per frame, and as tokens."""

    frames: Array | None  # [B, P, T, D] after the temporal encoder; 0 where masked. None: the tokens were cached
    tokens: Array  # [B, P, R + Q, D] region tokens, then dynamics tokens
    person_mask: Array  # [B, P] bool: seen in at least one frame


@dataclass
class VoiceBatch:
    """`mel_mask` marks real mel frames; a sample without voice has none. Prosody NaN = not measured.

    Raises ValueError for shapes that do not belong together.
    """

    mel: Array  # [B, M, T] log-mel frames of 10 ms, padded with anything
    mel_mask: Array  # [B, T] bool
    prosody: Array  # [B, C] values in the order of VOICE_CUES, in their units, NaN where not measured

    def __post_init__(self) -> None:
        batch, _, frames = self.mel.shape
        if tuple(self.mel_mask.shape) != (batch, frames):
            raise ValueError(f"voice batch: mel_mask must be {[batch, frames]}, got {list(self.mel_mask.shape)}")
        if tuple(self.prosody.shape) != (batch, len(VOICE_CUES)):
            raise ValueError(f"voice batch: prosody must be {[batch, len(VOICE_CUES)]}, got {list(self.prosody.shape)}")


@dataclass
class VoiceOutput:
    """What the voice encoder says of a voice: as tokens, and pooled for heads."""

    tokens: Array  # [B, Q + 1, D] pooled voice tokens, then one prosody token
    pooled: Array | None  # [B, 2 D] mean and deviation under the first query, for heads. None: the tokens were cached
    mask: Array  # [B] bool: there is a voice


@dataclass(frozen=True)
class WordsBatch:
    """Earlier utterances, a line each, and then the judged one: `said` marks its tokens. A row without any has no words."""

    input_ids: Array  # int [B, S], padded on the right
    mask: Array  # bool [B, S]
    said: Array  # bool [B, S]


def as_tensors(value: Any, device: Any = None) -> Any:
    """The same with torch tensors, on `device`: arrays, those inside batches, and those in a mapping."""
    import torch

    def convert(one: Any) -> Any:
        one = torch.from_numpy(one) if isinstance(one, np.ndarray) else one
        return one.to(device) if device is not None and isinstance(one, torch.Tensor) else one

    return _each(value, convert)


def as_arrays(value: Any) -> Any:
    """The same with NumPy arrays."""
    return _each(value, lambda one: one.detach().cpu().numpy() if hasattr(one, "detach") else one)


def _each(value: Any, convert: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _each(inner, convert) for name, inner in value.items()}
    if is_dataclass(value):
        return replace(value, **{name: _each(inner, convert) for name, inner in vars(value).items()})
    return convert(value)
