"""Training of the voice encoder: layer mix, pooling, prosody token and emotion head, on cached states of the Whisper encoder as
it is; then, in phases with `tuning`, the encoder's adapter with them, on sounds.

Letters: B clips of a batch, L layers, S states, D Whisper width, K emotions, C vocal cues.

The speakers are few, so everything is drawn anew each time: the copy of the clip, a stretch of it, what is masked, and whom it is
mixed with. Nothing is ever normalised by a corpus or a speaker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.model.config import VOICE_EMOTIONS
from emoreason.model.voice import VoiceEncoder
from emoreason.scoring.metrics.classification import confusion, uar
from emoreason.training.fit import Fitted, Progress, fit
from emoreason.training.parts import save_parts
from emoreason.training.phases import copied, keep, train_phases
from emoreason.training.settings.voice import VoiceAdapterSettings, VoiceAugment, VoiceEffects, VoicePhaseSettings
from emoreason.training.voice.data import Heard, States, Voices
from emoreason.training.voice.model import MOST_DOMAINS, VoiceTraining
from emoreason.training.voice.sounds import Sound, batch_of_sounds, drawn, seconds, whole

PARTS = ("voice", "heads.voice_emotion")


@dataclass(frozen=True)
class Corpus:
    """Clips with their encoded copies; `copies[0]` is as recorded. train: those that are learned from. effects: how clips are
    changed that are drawn as sounds."""

    voices: Voices
    copies: tuple[States, ...]
    train: tuple[int, ...]
    effects: VoiceEffects | None = None


# examples


class VoiceClips:
    """Training clips of a phase's sources, drawn so that emotions are equally frequent in each."""

    def __init__(
        self, phase: VoicePhaseSettings, corpora: Mapping[str, Corpus], seed: int,
        clips: Mapping[str, Sequence[int]] | None = None,
    ):  # fmt: skip
        """clips: which ones, by data set; without, those that the corpora learn from."""
        self.augment, self.corpora, parts = phase.augment, {source.data: corpora[source.data] for source in phase.sources}, []
        self.clips = {name: list((clips or {}).get(name, corpus.train)) for name, corpus in self.corpora.items()}
        for source in phase.sources:
            classes = [VOICE_EMOTIONS[self.corpora[source.data].voices.emotion[i]] for i in self.clips[source.data]]
            parts.append(Part(source.data, len(classes), source.weight, classes))
        self.mixture = Mixture(parts, seed)
        self.domains = _domains(phase, self.corpora, self.clips)

    def prior(self) -> Tensor:
        """[K] how often each emotion is drawn; one that never is counts as one draw in a thousand."""
        shares, total = torch.zeros(len(VOICE_EMOTIONS)), sum(part.weight for part in self.mixture.parts)
        for part in self.mixture.parts:
            for name in (present := set(part.classes)):
                shares[VOICE_EMOTIONS.index(name)] += part.weight / total / len(present)
        return shares.clamp_min(1e-3)

    def example(self, draw: Draw) -> "Example":
        corpus, clip, rng = self.corpora[draw.part], self.clips[draw.part][draw.item], draw.rng()
        return Example(self._heard(corpus, clip, rng, draw.part), int(corpus.voices.emotion[clip]), self.domains[draw.part, clip])

    def size(self, example: "Example") -> float:
        """How long it is: what batches of like length are made by."""
        return example.heard.states.shape[1]

    def _heard(self, corpus: Corpus, clip: int, rng: np.random.Generator, name: str) -> Heard | Sound:
        copies = [states for states in corpus.copies if clip in states]
        return _varied(copies[rng.integers(len(copies))][clip], rng, self.augment)


class SoundClips(VoiceClips):
    """The same clips as sounds, for a phase that tunes the encoder."""

    def __init__(
        self, phase: VoicePhaseSettings, corpora: Mapping[str, Corpus], seed: int, bins: int,
        clips: Mapping[str, Sequence[int]] | None = None,
    ):  # fmt: skip
        """bins: of the mel that the encoder reads."""
        super().__init__(phase, corpora, seed, clips)
        self.tuning, self.bins = phase.tuning, bins

    def _heard(self, corpus: Corpus, clip: int, rng: np.random.Generator, name: str) -> Heard | Sound:
        return drawn(corpus.voices, clip, self.clips[name], rng, self.tuning, self.augment, corpus.effects, self.bins)

    def size(self, example: "Example") -> float:
        return seconds(example.heard)


@dataclass(frozen=True)
class Example:
    """What is heard, the place of its emotion in VOICE_EMOTIONS, and the number of its speaker or data set."""

    heard: Heard | Sound
    emotion: int
    domain: int


def _domains(
    phase: VoicePhaseSettings, corpora: Mapping[str, Corpus], clips: Mapping[str, Sequence[int]]
) -> dict[tuple[str, int], int]:
    """(data set, clip) -> number of what the phase shall be invariant to. Raises ConfigError for too many of them."""
    by_speaker = phase.loss.invariant_to == "speaker"
    named = {(name, i): (name, corpus.voices.speakers[i] if by_speaker else "")
             for name, corpus in corpora.items() for i in clips[name]}  # fmt: skip
    numbers = {domain: n for n, domain in enumerate(dict.fromkeys(named.values()))}
    if phase.loss.invariance and len(numbers) > MOST_DOMAINS:
        raise ConfigError(f"phase '{phase.name}': {len(numbers)} speakers are more than the {MOST_DOMAINS} it can tell apart")
    return {clip: numbers[domain] for clip, domain in named.items()}


def _varied(heard: Heard, rng: np.random.Generator, augment: VoiceAugment) -> Heard:
    """A stretch of the clip with some spans cut out, and at times without prosody."""
    states = heard.states
    length = states.shape[1]
    keep = max(1, round(length * rng.uniform(augment.shortest, 1)))
    start = int(rng.integers(length - keep + 1))
    left = np.ones(keep, bool)
    while keep > 4 and 1 - left.mean() < augment.masked * rng.random():
        at, size = int(rng.integers(keep)), int(rng.integers(1, max(2, keep // 6)))
        left[at : at + size] = False
    left[rng.integers(keep)] = True
    prosody = torch.full_like(heard.prosody, torch.nan) if rng.random() < augment.no_prosody else heard.prosody
    return Heard(states[:, start : start + keep][:, torch.from_numpy(left)], prosody)


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """As `batch_of`, with target [B, K] and domain [B]."""
    return batch_of([example.heard for example in examples]) | _targets(examples)


def collate_sounds(examples: Sequence[Example]) -> dict[str, Any]:
    """voice (VoiceBatch) and looked_at [B, S], with target [B, K] and domain [B]."""
    voice, looked_at = batch_of_sounds([example.heard for example in examples])
    return {"voice": voice, "looked_at": looked_at} | _targets(examples)


def _targets(examples: Sequence[Example]) -> dict[str, Tensor]:
    emotions = torch.tensor([example.emotion for example in examples])
    target = F.one_hot(emotions, len(VOICE_EMOTIONS)).float()
    return {"target": target, "domain": torch.tensor([example.domain for example in examples])}


def batch_of(heard: Sequence[Heard]) -> dict[str, Tensor]:
    """states float32 [B, L, S, D], mask [B, S], prosody [B, C]."""
    lengths = torch.tensor([one.states.shape[1] for one in heard])
    states = torch.zeros(len(heard), heard[0].states.shape[0], int(lengths.max()), heard[0].states.shape[2])
    for row, one in enumerate(heard):
        states[row, :, : lengths[row]] = one.states
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    return {"states": states, "mask": mask, "prosody": torch.stack([one.prosody for one in heard])}


# training and judging


def new_training(
    encoder: WhisperEncoder, tokens: int, phase: VoicePhaseSettings, seed: int, adapter: VoiceAdapterSettings | None = None
) -> VoiceTraining:
    """New weights everywhere but in the encoder; an adapter changes nothing yet."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VoiceTraining(VoiceEncoder(encoder, tokens, adapter=adapter and adapter.model_dump()), phase)


def train_voice(
    model: VoiceTraining, phases: Sequence[VoicePhaseSettings], corpora: Mapping[str, Corpus], seed: int, places: Sequence[Path],
    clips: Mapping[str, Sequence[int]] | None = None, valid: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> bool:  # fmt: skip
    """All phases, each in its place (phases.places_of); their parts and figures are saved when they are done.

    corpora: by the names under `data`. clips, valid: what is learned from and what chooses, by data set, in place of the splits.
    Returns whether all are finished.
    """

    def one(phase: VoicePhaseSettings, place: Path) -> bool:
        start = copied(model) if phase.kept else {}
        chosen_by = {name: (valid or {}).get(name, corpora[name].voices.of_split("valid")) for name in phase.validation}
        if empty := [name for name, some in chosen_by.items() if not some]:
            raise ConfigError(f"phase '{phase.name}': no clip is in valid of {empty[0]}, which is to choose among the weights")
        fitted = train(model, phase, clips_of(model, phase, corpora, seed, clips), corpora, chosen_by, seed, place, progress)
        if fitted.finished:
            keep(model, start, phase.kept)
            calibrate(model, corpora, chosen_by)
            save_parts(model, PARTS, place, info={"valid": fitted.best})
        return fitted.finished

    finished = train_phases(model, phases, places, one)
    model.set_phase(phases[-1])  # where all were finished before, they were only loaded
    return finished


def clips_of(
    model: VoiceTraining, phase: VoicePhaseSettings, corpora: Mapping[str, Corpus], seed: int,
    clips: Mapping[str, Sequence[int]] | None,
) -> VoiceClips:  # fmt: skip
    """What the phase draws from: states of the encoder as it is, or sounds."""
    seed = phase.plan(seed).seed
    if phase.tuning is None:
        return VoiceClips(phase, corpora, seed, clips)
    return SoundClips(phase, corpora, seed, model.voice.encoder.config.num_mel_bins, clips)


def train(
    model: VoiceTraining, phase: VoicePhaseSettings, clips: VoiceClips, corpora: Mapping[str, Corpus],
    valid: Mapping[str, Sequence[int]], seed: int, folder: Path, progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """One phase; `valid` (clips by data set) chooses among the weights, by its loss: the recall of two or three speakers goes up
    and down by chance. Sets the head's prior."""
    model.set_phase(phase)
    model.head.set_prior(clips.prior())
    if not model.tuned or not model.voice.centre.any():  # a phase before may have set them; they are of the encoder as it is
        model.voice.set_moments(*moments(clips))
    return fit(
        model, clips, collate_sounds if model.tuned else collate, phase.plan(seed), folder, _groups(model, phase),
        lambda: scores(model, corpora, valid), "loss", progress,
    )  # fmt: skip


def _groups(model: VoiceTraining, phase: VoicePhaseSettings) -> list[dict]:
    """What trains how fast: the adapter, where the phase tunes it, and everything else but the encoder."""
    adapter = [] if model.voice.adapter is None else list(model.voice.adapter.parameters())
    inside = {id(parameter) for parameter in adapter}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in inside]
    groups = [{"name": "voice", "params": rest, "lr": phase.lr}]
    return groups + ([{"name": "adapter", "params": adapter, "lr": phase.tuning.lr}] if phase.tuning else [])


def moments(clips: VoiceClips, every: int = 8) -> tuple[Tensor, Tensor]:
    """Mean and deviation [L, D] of the states of every eighth training clip, data sets counted alike."""
    sums = []
    for name, corpus in clips.corpora.items():
        some = torch.cat([corpus.copies[0][i].states for i in clips.clips[name][::every]], dim=1).float()  # [L, S, D]
        sums.append(torch.stack([some.mean(1), some.square().mean(1)]))
    mean, square = torch.stack(sums).mean(0)
    return mean, (square - mean.square()).clamp_min(0).sqrt()


@torch.no_grad()
def predict(model: VoiceTraining, corpus: Corpus, clips: Sequence[int], at_once: int = 32) -> Tensor:
    """[N, K] logits of clips as recorded."""
    model.eval()
    if model.tuned:
        return _predict_sounds(model, corpus.voices, clips, at_once)
    out = []
    for first in range(0, len(clips), at_once):
        batch = batch_of([corpus.copies[0][i] for i in clips[first : first + at_once]])
        out.append(model.head(model.voice.pool_states(**batch).pooled))
    return torch.cat(out)


def _predict_sounds(model: VoiceTraining, voices: Voices, clips: Sequence[int], at_once: int) -> Tensor:
    """Clips of like length are encoded together, as padding costs as much as sound."""
    order = sorted(range(len(clips)), key=lambda place: int(voices.starts[clips[place] + 1] - voices.starts[clips[place]]))
    bins, out = model.voice.encoder.config.num_mel_bins, torch.zeros(len(clips), len(VOICE_EMOTIONS))
    for first in range(0, len(order), at_once):
        some = order[first : first + at_once]
        batch, _ = batch_of_sounds([whole(voices, clips[place], bins) for place in some])
        out[some] = model.head(model.voice(batch).pooled)
    return out


def decide(evidence: Tensor, among: Sequence[str] = VOICE_EMOTIONS) -> Tensor:
    """[N] places in VOICE_EMOTIONS, of those `among`. evidence [N, K]: `Head.log_evidence`, the prior divided out."""
    barred = torch.tensor([emotion not in among for emotion in VOICE_EMOTIONS])
    return evidence.masked_fill(barred, -torch.inf).argmax(1)


def scores(model: VoiceTraining, corpora: Mapping[str, Corpus], clips: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """UAR of each data set, of the emotions that occur in it; their mean as "uar", and the mean cross-entropy as "loss"."""
    out, losses = {}, []
    for name, some in clips.items():
        truth = corpora[name].voices.emotion[list(some)]
        evidence = model.head.log_evidence(predict(model, corpora[name], some))
        losses.append(float(F.cross_entropy(evidence, truth)))
        said = decide(evidence, occurring(truth))
        out[f"uar_{name}"] = uar(confusion(truth.numpy(), said.numpy(), len(VOICE_EMOTIONS)))
    return out | {"uar": sum(out.values()) / len(out), "loss": sum(losses) / len(losses)}


def occurring(truth: Tensor) -> tuple[str, ...]:
    """The emotions among `truth` [N], in the head's order."""
    return tuple(VOICE_EMOTIONS[k] for k in truth.unique().tolist())


def calibrate(model: VoiceTraining, corpora: Mapping[str, Corpus], valid: Mapping[str, Sequence[int]]) -> None:
    """Set the head's temperature: that of the least cross-entropy on the validation speakers, all emotions equally likely."""
    logits = torch.cat([predict(model, corpora[name], some) for name, some in valid.items()])
    truth = torch.cat([corpora[name].voices.emotion[list(some)] for name, some in valid.items()])
    candidates = torch.linspace(0.3, 3.0, 109)
    losses = torch.stack([F.cross_entropy(logits / t - model.head.log_prior, truth) for t in candidates])
    model.head.temperature.fill_(float(candidates[losses.argmin()]))
