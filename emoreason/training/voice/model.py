"""What the stage `voice` trains: layer mix, pooling, prosody token and emotion head, and the encoder's adapter if it has one.

Letters: B clips of a batch, L layers, S states, D Whisper width, K emotions, C vocal cues.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emoreason.model.batch import VoiceBatch, VoiceOutput
from emoreason.model.config import HEADS, VOICE_EMOTIONS
from emoreason.model.heads import Head
from emoreason.model.voice import VoiceEncoder
from emoreason.training.settings.voice import VoicePhaseSettings

SPEC = next(spec for spec in HEADS if spec.name == "voice_emotion")
MOST_DOMAINS = 256  # speakers or data sets that one training may tell apart


class VoiceTraining(nn.Module):
    """`forward` takes a batch of `training.collate` or `collate_sounds` and gives the loss and its terms. The auxiliary heads are
    dropped after this stage."""

    def __init__(self, voice: VoiceEncoder, phase: VoicePhaseSettings):
        super().__init__()
        self.voice = voice  # voice and heads are called as in the whole model, for training.parts
        voice.encoder.requires_grad_(False)
        self.heads = nn.ModuleDict({SPEC.name: Head(SPEC, voice.pooled_width)})
        dim = voice.encoder.config.d_model
        self.of_tokens = nn.Sequential(nn.LayerNorm(dim), nn.Dropout(), nn.Linear(dim, len(VOICE_EMOTIONS)))
        self.of_domain = _domain_head(voice.pooled_width) if phase.loss.invariance else None
        self.set_phase(phase)

    def set_phase(self, phase: VoicePhaseSettings) -> None:
        """Its loss, dropout and mixup hold from now on."""
        self.loss, self.mixing, self.tuned = phase.loss, phase.augment.mixing, phase.tuning is not None
        for module in (*self.heads.modules(), *self.of_tokens.modules()):
            if isinstance(module, nn.Dropout):
                module.p = phase.dropout

    @property
    def head(self) -> Head:
        return self.heads[SPEC.name]

    def forward(
        self, target: Tensor, domain: Tensor | None = None, states: Tensor | None = None, mask: Tensor | None = None,
        prosody: Tensor | None = None, voice: VoiceBatch | None = None, looked_at: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """target [B, K] shares, domain [B] number of the speaker or data set. What is heard: states [B, L, S, D] of the encoder
        as it is, mask [B, S] and prosody [B, C]; or sounds, `voice`, and looked_at [B, S] which of their states count."""
        if voice is not None:
            states, mask = self.voice.listen(voice.mel, voice.mel_mask)
            mask, prosody = _unmasked(mask, looked_at), voice.prosody
        heard = self.voice.pool_states(states, mask, prosody)
        terms = {} if self.of_domain is None else {"invariance": self._whose(heard.pooled, domain)}
        heard, target = _mixed(heard, target, self.mixing)
        smooth = (1 - self.loss.smoothing) * target + self.loss.smoothing / target.shape[1]
        terms["emotion"] = _loss(self.head(heard.pooled), smooth)
        one = heard.tokens[torch.arange(len(target)), torch.randint(heard.tokens.shape[1], (len(target),))]  # [B, D]
        terms["tokens"] = (_loss(self.of_tokens(heard.tokens.mean(1)), smooth) + 0.5 * _loss(self.of_tokens(one), smooth)) / 1.5
        weights = {name: getattr(self.loss, name) for name in terms}
        loss = sum(weights[name] * term for name, term in terms.items())
        return {"loss": loss} | {name: term.detach() for name, term in terms.items()}

    def _whose(self, pooled: Tensor, domain: Tensor) -> Tensor:
        """How badly the domain is told; what is read learns to hide it, the head to find it."""
        return F.cross_entropy(self.of_domain(_Reversed.apply(pooled)).float(), domain)


class _Reversed(torch.autograd.Function):
    """The same forwards, the gradient with the other sign backwards."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return -gradient


def _domain_head(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, MOST_DOMAINS))


def _unmasked(mask: Tensor, looked_at: Tensor) -> Tensor:
    """[B, S] what is left of the mask; all of it where nothing would be."""
    left = mask & looked_at
    return torch.where(left.any(1, keepdim=True), left, mask)


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
