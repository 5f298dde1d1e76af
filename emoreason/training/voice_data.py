"""Voices as stage 0 hears them: sounds decoded once, and the frozen encoder's states of each, as recorded and in changed copies.

Letters: N clips, L Whisper layers + 1, S states (40 ms each), D Whisper width, C vocal cues.

States of the untouched encoder are the same in every epoch, so they are computed once: copy 0 is the clip as it is, copies 1, 2,
... are augmented, of training speakers only. Only what pooling looks at is kept: pauses are not.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import data_store, files_of, find
from emoreason.instructions.readers import Failure, read
from emoreason.instructions.recipe import load_recipe
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media import Clip
from emoreason.media.audio import RATE
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.model.segment_input import MIN_SPEECH_S, mel_of
from emoreason.model.voice import listen
from emoreason.training.voice_augment import augment

AROUND_S = 0.25  # training copies start and end this far from the speech; what is cut is silence
_PART = 128  # clips per file of states
_BATCH = 16

Progress = Callable[[str, int, int], None]  # what, clips done, clips in all


@dataclass(frozen=True)
class Voices:
    """Clips of one data set in which somebody speaks. emotion [N]: place in VOICE_EMOTIONS; speech [N, 2] s: first to last;
    prosody [N, C], NaN where not measured; sounds are int16 at 16 kHz, one after the other."""

    dataset: str
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    splits: tuple[str, ...]
    emotion: Tensor
    speech: Tensor
    prosody: Tensor
    samples: Tensor
    starts: Tensor  # [N + 1]

    def __len__(self) -> int:
        return len(self.ids)

    def sound(self, i: int, speech_only: bool = False) -> np.ndarray:
        """float32 [n]; `speech_only`: from `AROUND_S` before the first speech to as much after the last."""
        start, stop = self.starts[i].item(), self.starts[i + 1].item()
        sound = self.samples[start:stop].numpy().astype(np.float32) / 32768
        if not speech_only:
            return sound
        first, last = ((self.speech[i] + torch.tensor([-AROUND_S, AROUND_S])).clamp_min(0) * RATE).round().int().tolist()
        return sound[first:last]

    def of_split(self, *names: str) -> list[int]:
        return [i for i, split in enumerate(self.splits) if split in names]


def load_voices(dataset: str, root: Path, store: Path, folder: Path, progress: Progress | None = None) -> Voices:
    """The clips of a data set that was observed into `store`; prepared in `folder` the first time.

    Clips without speech are left out: the model gets no voice of them. Raises ConfigError when nothing was observed.
    """
    path = folder / f"{dataset}.safetensors"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _prepare(dataset, root, store, path, progress)
    with safe_open(path, framework="pt") as file:
        names = json.loads(file.metadata()["names"])
    return Voices(dataset, *(tuple(names[key]) for key in ("ids", "speakers", "splits")), **load_file(path))


def _prepare(dataset: str, root: Path, store: Path, path: Path, progress: Progress | None) -> None:
    recipe, kept = load_recipe(dataset), data_store(store)
    records = [record for record in read(recipe, root) if not isinstance(record, Failure)]
    names, rows, sounds = {"ids": [], "speakers": [], "splits": []}, [], []
    for done, record in enumerate(records, 1):
        observation = find(record, root, kept, words=False)
        voice = observation.voice if observation else None
        if voice is not None and sum(end_s - start_s for start_s, end_s in voice.spans) >= MIN_SPEECH_S:
            for key, value in zip(names, (record.id, record.group, record.split), strict=True):
                names[key].append(value)
            emotion = VOICE_EMOTIONS.index(recipe.scheme.crosswalk[record.label(recipe.scheme.name).value])
            cues = {cue.cue: cue.value for cue in reversed(voice.cues)}  # the first ones are over all speech
            rows.append((emotion, (voice.spans[0][0], voice.spans[-1][1]), [cues.get(cue, np.nan) for cue in VOICE_CUES]))
            sounds.append((Clip(files_of(record, root)[0]).audio() * 32768).round().clip(-32768, 32767).astype(np.int16))
        if progress is not None:
            progress(dataset, done, len(records))
    if not rows:
        raise ConfigError(f"{dataset}: none of its clips was observed; run `emoreason data observe {dataset}` first")
    emotion, speech, prosody = zip(*rows, strict=True)
    arrays = {
        "emotion": torch.tensor(emotion), "speech": torch.tensor(speech), "prosody": torch.tensor(prosody),
        "samples": torch.from_numpy(np.concatenate(sounds)), "starts": torch.tensor(np.cumsum([0, *map(len, sounds)])),
    }  # fmt: skip
    _save(arrays, path, {"names": json.dumps(names)})


# states


@dataclass(frozen=True)
class Heard:
    """One copy of one clip: states float16 [L, S, D] without pauses, prosody [C]."""

    states: Tensor
    prosody: Tensor


class States:
    """Encoder states of one copy of a data set, read from memory-mapped files when asked for."""

    def __init__(self, folder: Path, dataset: str, copy: int):
        self._folder, self._name, self._at = folder, f"{dataset}-copy{copy}", {}
        for path in sorted(folder.glob(f"{self._name}-*.safetensors")):
            part = safe_open(path, framework="pt")
            clips, starts, prosody = (part.get_tensor(name) for name in ("clips", "starts", "prosody"))
            states = part.get_slice("states")
            for row, clip in enumerate(clips.tolist()):
                self._at[clip] = (states, starts[row].item(), starts[row + 1].item(), prosody[row])

    def __contains__(self, i: int) -> bool:
        return i in self._at

    def __getitem__(self, i: int) -> Heard:
        if i not in self._at:
            raise ConfigError(f"{self._folder}: clip {i} of {self._name} was not encoded; encode it first")
        states, start, stop, prosody = self._at[i]
        return Heard(states[start:stop].transpose(0, 1), prosody)


def encode(
    voices: Voices, clips: Sequence[int], copy: int, encoder: WhisperEncoder, folder: Path, seed: int = 0,
    progress: Progress | None = None,
) -> States:  # fmt: skip
    """Encode these clips: copy 0 as recorded, others augmented by (seed, copy, clip). Goes on where it was interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    babblers = voices.of_split("train")
    for first in range(0, len(clips), _PART):
        some = list(clips[first : first + _PART])
        path = folder / f"{voices.dataset}-copy{copy}-{some[0]:05d}.safetensors"
        if not path.is_file():
            _save(_encode_part(voices, some, copy, encoder, seed, babblers), path)
        if progress is not None:
            progress(f"{voices.dataset}, copy {copy}", first + len(some), len(clips))
    return States(folder, voices.dataset, copy)


def _encode_part(
    voices: Voices, clips: list[int], copy: int, encoder: WhisperEncoder, seed: int, babblers: list[int]
) -> dict[str, Tensor]:
    made = {i: (voices.sound(i), voices.prosody[i].numpy()) if copy == 0 else _changed(voices, i, copy, seed, babblers)
            for i in clips}  # fmt: skip
    order = sorted(clips, key=lambda i: len(made[i][0]))
    states: list[Tensor] = []
    for first in range(0, len(order), _BATCH):
        states += states_of([made[i][0] for i in order[first : first + _BATCH]], encoder)
    return {
        "clips": torch.tensor(order),
        "starts": torch.tensor(np.cumsum([0, *map(len, states)])),
        "states": torch.cat(states),
        "prosody": torch.from_numpy(np.stack([made[i][1] for i in order])),
    }


def _changed(voices: Voices, i: int, copy: int, seed: int, babblers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, copy, i])
    sound, change = augment(
        voices.sound(i, speech_only=True), rng, lambda rng: voices.sound(babblers[rng.integers(len(babblers))], True)
    )
    return sound, change.prosody(voices.prosody[i].numpy())


@torch.no_grad()
def states_of(sounds: Sequence[np.ndarray], encoder: WhisperEncoder) -> list[Tensor]:
    """float16 [S, L, D] of each sound, pauses left out."""
    mels = [torch.from_numpy(mel_of(sound, encoder.config.num_mel_bins)) for sound in sounds]
    mel = torch.zeros(len(mels), encoder.config.num_mel_bins, max(m.shape[1] for m in mels))
    mask = torch.zeros(mel.shape[0], mel.shape[2], dtype=torch.bool)
    for row, one in enumerate(mels):
        mel[row, :, : one.shape[1]], mask[row, : one.shape[1]] = one, True
    with torch.autocast("cpu", torch.bfloat16):
        states, heard = listen(encoder, mel, mask)
    return [one[:, keep].transpose(0, 1).half() for one, keep in zip(states, heard, strict=True)]


def _save(arrays: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in arrays.items()}, partial, metadata=metadata)
    os.replace(partial, path)
