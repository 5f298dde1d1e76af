"""Clips as sound for a phase that tunes the encoder: changed anew each time they are drawn, and encoded only as long as they are.

Letters: B clips of a batch, M mel bins, T frames of 10 ms, S states of 40 ms, C vocal cues.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from emoreason.model.segment_input import MIN_SPEECH_S, mel_of
from emoreason.model.voice import FRAMES_PER_POSITION, VoiceBatch
from emoreason.training.settings.voice import VoiceAugment, VoiceEffects, VoiceTuning
from emoreason.training.voice.augment import augment, crop
from emoreason.training.voice.data import Voices

FRAMES_PER_STATE = 2 * FRAMES_PER_POSITION  # mel frames behind one pooled state


@dataclass(frozen=True)
class Sound:
    """One drawn clip: mel [M, T], prosody [C] NaN where not known, and stretches of its states that are not looked at, as shares
    (start, stop) of its length."""

    mel: Tensor
    prosody: Tensor
    masked: tuple[tuple[float, float], ...] = ()


def drawn(
    voices: Voices, clip: int, others: Sequence[int], rng: np.random.Generator, tuning: VoiceTuning, augmented: VoiceAugment,
    effects: VoiceEffects | None, bins: int,
) -> Sound:  # fmt: skip
    """The clip as recorded, pauses included, as it is heard outside training; or in the share `tuning.changed` a stretch of its
    speech, changed as a copy is, with `others` of its data set as bystanders."""
    prosody = voices.prosody[clip].numpy()
    if rng.random() < tuning.changed:

        def babble(rng: np.random.Generator) -> np.ndarray:
            return voices.sound(others[rng.integers(len(others))], speech_only=True)

        sound, change = augment(voices.sound(clip, speech_only=True), rng, babble, effects)
        sound, prosody = crop(sound, rng, augmented.shortest, MIN_SPEECH_S), change.prosody(prosody)
    else:
        sound = voices.sound(clip)
    prosody = torch.from_numpy(np.asarray(prosody, np.float32))
    if rng.random() < augmented.no_prosody:
        prosody = torch.full_like(prosody, torch.nan)
    return Sound(torch.from_numpy(mel_of(sound, bins)), prosody, _spans(rng, augmented.masked))


def _spans(rng: np.random.Generator, most: float) -> tuple[tuple[float, float], ...]:
    """Stretches of up to a sixth of the clip, together about a share drawn from 0 to `most` (Park et al. 2019, SpecAugment)."""
    spans, left = [], most * rng.random()
    while left > 0.02:
        length = min(left, rng.uniform(0, 1 / 6))
        start = rng.uniform(0, 1 - length)
        spans.append((float(start), float(start + length)))
        left -= max(length, 0.01)
    return tuple(spans)


def whole(voices: Voices, clip: int, bins: int) -> Sound:
    """The clip as recorded."""
    return Sound(torch.from_numpy(mel_of(voices.sound(clip), bins)), voices.prosody[clip].float())


def batch_of_sounds(sounds: Sequence[Sound]) -> tuple[VoiceBatch, Tensor]:
    """The encoder's batch, and [B, S] which states may be looked at; of every clip at least one is."""
    lengths = torch.tensor([one.mel.shape[1] for one in sounds])
    longest = int(lengths.max())
    mel = torch.zeros(len(sounds), sounds[0].mel.shape[0], longest)
    for row, one in enumerate(sounds):
        mel[row, :, : lengths[row]] = one.mel
    mask = torch.arange(longest) < lengths[:, None]
    looked_at = torch.ones(len(sounds), -(-longest // FRAMES_PER_STATE), dtype=torch.bool)
    for row, one in enumerate(sounds):
        states = lengths[row] / FRAMES_PER_STATE
        for start, stop in one.masked:
            looked_at[row, int(start * states) : int(stop * states)] = False
    return VoiceBatch(mel, mask, torch.stack([one.prosody for one in sounds])), looked_at


def seconds(sound: Sound) -> float:
    """How long a drawn clip is: what batches of like length are made by."""
    return sound.mel.shape[1] * 0.01
