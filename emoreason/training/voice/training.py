"""Training of the voice encoder: layer mix, pooling, prosody token and emotion head, on cached states of the frozen Whisper
encoder.

Letters: B clips of a batch, L layers, S states, D Whisper width, K emotions, C vocal cues.

The speakers are few, so everything is drawn anew each time: the copy of the clip, a stretch of it, what is masked, and whom it is
mixed with. Nothing is ever normalised by a corpus or a speaker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.instructions.mixture import Draw, Mixture, Part
from emoreason.model.batch import VoiceOutput
from emoreason.model.config import HEADS, VOICE_EMOTIONS
from emoreason.model.heads import Head
from emoreason.model.voice import VoiceEncoder
from emoreason.scoring.metrics.classification import confusion, uar
from emoreason.training.fit import Fitted, Progress, fit
from emoreason.training.parts import save_parts
from emoreason.training.phases import copied, keep, train_phases
from emoreason.training.settings.voice import VoiceAugment, VoicePhaseSettings
from emoreason.training.voice.data import Heard, States, Voices

PARTS = ("voice", "heads.voice_emotion")
SPEC = next(spec for spec in HEADS if spec.name == "voice_emotion")


@dataclass(frozen=True)
class Corpus:
    """Clips with their encoded copies; `copies[0]` is as recorded. train: those that are learned from."""

    voices: Voices
    copies: tuple[States, ...]
    train: tuple[int, ...]


class VoiceTraining(nn.Module):
    """`forward` takes a batch of `collate` and gives the loss and its terms. The auxiliary heads are dropped after this stage."""

    def __init__(self, voice: VoiceEncoder, phase: VoicePhaseSettings):
        super().__init__()
        self.voice = voice  # voice and heads are called as in the whole model, for training.parts
        voice.encoder.requires_grad_(False)
        self.heads = nn.ModuleDict({SPEC.name: Head(SPEC, voice.pooled_width)})
        dim = voice.encoder.config.d_model
        self.of_tokens = nn.Sequential(nn.LayerNorm(dim), nn.Dropout(), nn.Linear(dim, len(VOICE_EMOTIONS)))
        self.set_phase(phase)

    def set_phase(self, phase: VoicePhaseSettings) -> None:
        """Its loss, dropout and mixup hold from now on."""
        self.loss, self.mixing = phase.loss, phase.augment.mixing
        for module in (*self.heads.modules(), *self.of_tokens.modules()):
            if isinstance(module, nn.Dropout):
                module.p = phase.dropout

    @property
    def head(self) -> Head:
        return self.heads[SPEC.name]

    def forward(self, states: Tensor, mask: Tensor, prosody: Tensor, target: Tensor) -> dict[str, Tensor]:
        """states [B, L, S, D], mask [B, S], prosody [B, C], target [B, K] shares."""
        heard = self.voice.pool_states(states, mask, prosody)
        heard, target = _mixed(heard, target, self.mixing)
        smooth = (1 - self.loss.smoothing) * target + self.loss.smoothing / target.shape[1]
        terms = {"emotion": _loss(self.head(heard.pooled), smooth)}
        one = heard.tokens[torch.arange(len(target)), torch.randint(heard.tokens.shape[1], (len(target),))]  # [B, D]
        terms["tokens"] = (_loss(self.of_tokens(heard.tokens.mean(1)), smooth) + 0.5 * _loss(self.of_tokens(one), smooth)) / 1.5
        loss = self.loss.emotion * terms["emotion"] + self.loss.tokens * terms["tokens"]
        return {"loss": loss} | {name: term.detach() for name, term in terms.items()}


def _loss(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.float(), target)


def _mixed(heard: VoiceOutput, target: Tensor, mixing: float) -> tuple[VoiceOutput, Tensor]:
    """Manifold mixup (Verma et al. 2019): of what was pooled, so that lengths need not agree."""
    if not mixing:
        return heard, target
    share = torch.distributions.Beta(mixing, mixing).sample((len(target), 1))
    share = torch.maximum(share, 1 - share)
    other = torch.randperm(len(target))
    pooled = share * heard.pooled + (1 - share) * heard.pooled[other]
    tokens = share[..., None] * heard.tokens + (1 - share[..., None]) * heard.tokens[other]
    return VoiceOutput(tokens, pooled, heard.mask), share * target + (1 - share) * target[other]


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

    def prior(self) -> Tensor:
        """[K] how often each emotion is drawn; one that never is counts as one draw in a thousand."""
        shares, total = torch.zeros(len(VOICE_EMOTIONS)), sum(part.weight for part in self.mixture.parts)
        for part in self.mixture.parts:
            for name in (present := set(part.classes)):
                shares[VOICE_EMOTIONS.index(name)] += part.weight / total / len(present)
        return shares.clamp_min(1e-3)

    def example(self, draw: Draw) -> tuple[Heard, int]:
        corpus, clip, rng = self.corpora[draw.part], self.clips[draw.part][draw.item], draw.rng()
        copies = [states for states in corpus.copies if clip in states]
        heard = copies[rng.integers(len(copies))][clip]
        return _varied(heard, rng, self.augment), int(corpus.voices.emotion[clip])


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


def collate(examples: Sequence[tuple[Heard, int]]) -> dict[str, Tensor]:
    """As `batch_of`, with target [B, K]."""
    batch = batch_of([heard for heard, _ in examples])
    return batch | {"target": F.one_hot(torch.tensor([emotion for _, emotion in examples]), len(VOICE_EMOTIONS)).float()}


def batch_of(heard: Sequence[Heard]) -> dict[str, Tensor]:
    """states float32 [B, L, S, D], mask [B, S], prosody [B, C]."""
    lengths = torch.tensor([one.states.shape[1] for one in heard])
    states = torch.zeros(len(heard), heard[0].states.shape[0], int(lengths.max()), heard[0].states.shape[2])
    for row, one in enumerate(heard):
        states[row, :, : lengths[row]] = one.states
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    return {"states": states, "mask": mask, "prosody": torch.stack([one.prosody for one in heard])}


# training and judging


def new_training(encoder: WhisperEncoder, tokens: int, phase: VoicePhaseSettings, seed: int) -> VoiceTraining:
    """New weights everywhere but in the encoder."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VoiceTraining(VoiceEncoder(encoder, tokens), phase)


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
        drawn = VoiceClips(phase, corpora, phase.plan(seed).seed, clips)
        fitted = train(model, phase, drawn, corpora, chosen_by, seed, place, progress)
        if fitted.finished:
            keep(model, start, phase.kept)
            calibrate(model, corpora, chosen_by)
            save_parts(model, PARTS, place, info={"valid": fitted.best})
        return fitted.finished

    return train_phases(model, phases, places, one)


def train(
    model: VoiceTraining, phase: VoicePhaseSettings, clips: VoiceClips, corpora: Mapping[str, Corpus],
    valid: Mapping[str, Sequence[int]], seed: int, folder: Path, progress: Progress | None = None,
) -> Fitted:  # fmt: skip
    """One phase; `valid` (clips by data set) chooses among the weights, by its loss: the recall of two or three speakers goes up
    and down by chance. Sets the head's prior."""
    model.set_phase(phase)
    model.head.set_prior(clips.prior())
    model.voice.set_moments(*moments(clips))
    groups = [{"name": "voice", "params": [p for p in model.parameters() if p.requires_grad], "lr": phase.lr}]
    return fit(model, clips, collate, phase.plan(seed), folder, groups, lambda: scores(model, corpora, valid), "loss", progress)


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
    out = []
    for first in range(0, len(clips), at_once):
        batch = batch_of([corpus.copies[0][i] for i in clips[first : first + at_once]])
        out.append(model.head(model.voice.pool_states(**batch).pooled))
    return torch.cat(out)


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
