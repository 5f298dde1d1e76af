"""Voices as the stage `voice` hears them: sounds decoded once, and the frozen encoder's states of each, as recorded and in
changed copies.

Letters: N clips, L Whisper layers + 1, S states (40 ms each), D Whisper width, C vocal cues.

States of the untouched encoder are the same in every epoch, so they are computed once: copy 0 is the clip as it is, copies 1, 2,
... are augmented, of training speakers only. Only what pooling looks at is kept: pauses are not.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.instructions.answers import label_of
from emoreason.instructions.observe_all import data_store, find, sound_of
from emoreason.instructions.recipe import Recipe, load_recipe
from emoreason.instructions.record import Record
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.media import Clip
from emoreason.media.audio import RATE
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.model.precision import fast_bf16
from emoreason.model.segment_input import MIN_SPEECH_S, mel_of
from emoreason.model.voice import listen
from emoreason.training.data_sets import load_set, sha256_of
from emoreason.training.settings.voice import VoiceDataSettings, VoiceEffects
from emoreason.training.voice.augment import augment

AROUND_S = 0.25  # training copies start and end this far from the speech; what is cut is silence
_PART = 128  # clips per file of states
_BATCH = 16

Progress = Callable[[str, int, int], None]  # what, clips done, clips in all


@dataclass(frozen=True)
class Voices:
    """Clips of one data set in which somebody speaks. emotion [N]: place in VOICE_EMOTIONS; speech [N, 2] s: first to last;
    prosody [N, C], NaN where not measured; sounds are int16 at 16 kHz, one after the other. source: hash of what they were made
    of.
    """

    dataset: str
    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    splits: tuple[str, ...]
    emotion: Tensor
    speech: Tensor
    prosody: Tensor
    samples: Tensor
    starts: Tensor  # [N + 1]
    source: str = ""

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


def load_voices(
    name: str, settings: VoiceDataSettings, root: Path, store: Path, folder: Path, progress: Progress | None = None
) -> Voices:
    """The clips of a data set that was observed into `store`: prepared in `folder`, unless they are there for the same records.

    Clips without speech, or without an emotion that the head knows, are left out. Raises ConfigError for a set that does not pass
    validation, that has no sound or pieces of longer files, or of which no clip is left.
    """
    recipe = load_recipe(settings.recipe)
    records = [record for record in load_set(recipe, root, None) if sound_of(record, root)]
    if not records:
        raise ConfigError(f"data.{name}: recipe '{settings.recipe}' has no sounds, which is what the stage learns from")
    if pieces := [record.id for record in records if record.span is not None]:
        raise ConfigError(f"data.{name}: {pieces[0]} is a piece of a longer file; cut it out: the stage learns from whole files")
    path, source = folder / f"{name}.safetensors", sha256_of(recipe, *records)
    if not path.is_file() or _names(path).get("source") != source:
        folder.mkdir(parents=True, exist_ok=True)
        names, arrays = _prepared(name, recipe, records, root, store, progress)
        if not names["ids"]:
            remedy = f"run `emoreason data observe {settings.recipe}` first"
            raise ConfigError(f"data.{name}: no speech with an emotion of the head was observed; {remedy}")
        save_voices(names | {"source": source}, arrays, path)
    return read_voices(path)


def save_voices(names: Mapping[str, Any], arrays: Mapping[str, Tensor], path: Path) -> None:
    """names: ids, speakers, splits; arrays: the tensors of `Voices`; the data set is called as the file."""
    _save(arrays, path, {"names": json.dumps(names)})


def read_voices(path: Path) -> Voices:
    """What `save_voices` wrote."""
    names = _names(path)
    who = (tuple(names[key]) for key in ("ids", "speakers", "splits"))
    return Voices(path.stem, *who, **load_file(path), source=names["source"])


def _names(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["names"])


def _prepared(
    name: str, recipe: Recipe, records: Sequence[Record], root: Path, store: Path, progress: Progress | None
) -> tuple[dict[str, list[str]], dict[str, Tensor]]:
    """(ids, speakers and splits, arrays of `Voices`)."""
    kept, names, rows, sounds = data_store(store), {"ids": [], "speakers": [], "splits": []}, [], []
    for done, record in enumerate(records, 1):
        emotion = _emotion(record, recipe)
        observation = find(record, root, kept, words=False) if emotion is not None else None
        voice = observation.voice if observation else None
        if voice is not None and sum(end_s - start_s for start_s, end_s in voice.spans) >= MIN_SPEECH_S:
            for key, value in zip(names, (record.id, record.group, record.split), strict=True):
                names[key].append(value)
            cues = {cue.cue: cue.value for cue in reversed(voice.cues)}  # the first ones are over all speech
            rows.append((emotion, (voice.spans[0][0], voice.spans[-1][1]), [cues.get(cue, np.nan) for cue in VOICE_CUES]))
            sounds.append((Clip(sound_of(record, root)).audio() * 32768).round().clip(-32768, 32767).astype(np.int16))
        if progress is not None:
            progress(name, done, len(records))
    if not rows:
        return names, {}
    emotion, speech, prosody = zip(*rows, strict=True)
    return names, {
        "emotion": torch.tensor(emotion), "speech": torch.tensor(speech), "prosody": torch.tensor(prosody),
        "samples": torch.from_numpy(np.concatenate(sounds)), "starts": torch.tensor(np.cumsum([0, *map(len, sounds)])),
    }  # fmt: skip


def _emotion(record: Record, recipe: Recipe) -> int | None:
    """Place in VOICE_EMOTIONS of what the record's label stands for, if the head knows it."""
    label = label_of(record, recipe.scheme.name) if recipe.scheme else None
    emotion = recipe.scheme.crosswalk.get(label) if label else None
    return VOICE_EMOTIONS.index(emotion) if emotion in VOICE_EMOTIONS else None


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
    voices: Voices, clips: Sequence[int], copy: int, encoder: WhisperEncoder, folder: Path, effects: VoiceEffects | None = None,
    seed: int = 0, progress: Progress | None = None,
) -> States:  # fmt: skip
    """Encode these clips: copy 0 as recorded, others changed by `effects` and (seed, copy, clip), with other ones of
    these clips as bystanders. Goes on where it was interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(clips), _PART):
        some = list(clips[first : first + _PART])
        path = folder / f"{voices.dataset}-copy{copy}-{some[0]:05d}-{sha256_of(some)[:8]}.safetensors"
        if not path.is_file():
            _save(_encode_part(voices, some, copy, encoder, effects, seed, list(clips)), path)
        if progress is not None:
            progress(f"{voices.dataset}, copy {copy}", first + len(some), len(clips))
    return States(folder, voices.dataset, copy)


def _encode_part(
    voices: Voices, clips: list[int], copy: int, encoder: WhisperEncoder, effects: VoiceEffects | None, seed: int,
    babblers: list[int],
) -> dict[str, Tensor]:  # fmt: skip
    made = {i: (voices.sound(i), voices.prosody[i].numpy()) if copy == 0 else _changed(voices, i, copy, effects, seed, babblers)
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


def _changed(
    voices: Voices, i: int, copy: int, effects: VoiceEffects, seed: int, babblers: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, copy, i])

    def babble(rng: np.random.Generator) -> np.ndarray:
        return voices.sound(babblers[rng.integers(len(babblers))], speech_only=True)

    sound, change = augment(voices.sound(i, speech_only=True), rng, babble, effects)
    return sound, change.prosody(voices.prosody[i].numpy())


@torch.no_grad()
def states_of(sounds: Sequence[np.ndarray], encoder: WhisperEncoder) -> list[Tensor]:
    """float16 [S, L, D] of each sound, pauses left out."""
    mels = [torch.from_numpy(mel_of(sound, encoder.config.num_mel_bins)) for sound in sounds]
    mel = torch.zeros(len(mels), encoder.config.num_mel_bins, max(m.shape[1] for m in mels))
    mask = torch.zeros(mel.shape[0], mel.shape[2], dtype=torch.bool)
    for row, one in enumerate(mels):
        mel[row, :, : one.shape[1]], mask[row, : one.shape[1]] = one, True
    # Where the hardware only emulates bfloat16, Whisper-base took 2.6 s a clip in it and 0.28 s in single precision.
    with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16(torch.device("cpu"))):
        states, heard = listen(encoder, mel, mask)
    return [one[:, keep].transpose(0, 1).half() for one, keep in zip(states, heard, strict=True)]


def _save(arrays: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".part")
    save_file({name: value.contiguous() for name, value in arrays.items()}, partial, metadata=metadata)
    os.replace(partial, path)
