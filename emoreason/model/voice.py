"""Voice encoder: Whisper encoder states of all layers, mixed and pooled to a few tokens, and tokens from measured prosody.

Letters: B batch, L layers + 1, S encoder positions (20 ms each; 40 ms where they are pooled), D Whisper width, W narrow width,
Q voice tokens, C vocal cues.
Only as many positions are computed as there is audio; Whisper's own 30 s of padding is never run.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from emoreason.errors import ConfigError
from emoreason.labels.voice_cues import VOICE_CUES
from emoreason.model.batch import POOLED_FRAMES, VoiceBatch, VoiceOutput
from emoreason.model.low_rank import LowRankLayers

FRAMES_PER_POSITION = 2  # the second convolution has stride 2: two 10 ms mel frames a position
PER_DECADE = 0.25  # of power, in Whisper's log-mel: (log10 power + 4) / 4
LOUDEST = 1.0  # where the loudest bin of an utterance is put: about where clear speech lies
NARROW = 3  # eighths of Whisper's width
# Where the mix starts. A linear probe from one corpus to another (nEMO to RAVDESS, 6 emotions) had a recall of 0.50 on the means
# of layers 2 and 3 of 6, and 0.21 on the last, which tells words.
BEST_DEPTH = 0.4
PROJECTIONS = re.compile(r"self_attn\.(q|k|v|out)_proj|fc[12]")  # of a Whisper layer, that adapters go on
GATE_DB = 30.0  # frames further below the loudest one are pauses and say nothing of the voice


def hidden_states(encoder: WhisperEncoder, mel: Tensor, mel_mask: Tensor) -> tuple[Tensor, Tensor]:
    """Masked Whisper states of all layers [B, L, S, D] and their mask [B, S].

    Raises ValueError for audio longer than the encoder's positions.
    """
    mel_mask = mel_mask[:, None].to(mel.dtype)  # [B, 1, T]
    x = torch.where(mel_mask > 0, mel, 0.0)
    x = F.gelu(encoder.conv1(x)) * mel_mask  # masked again: what padding leaks in would differ from a single sample
    x = F.gelu(encoder.conv2(x)).transpose(1, 2)  # [B, S, D]
    mask = mel_mask[:, 0, ::FRAMES_PER_POSITION] > 0  # [B, S]
    if x.shape[1] > encoder.config.max_source_positions:
        limit_s = encoder.config.max_source_positions / 50
        raise ValueError(f"voice: {x.shape[1] / 50:.1f} s of audio in one segment, the encoder takes {limit_s:.0f} s; split it")
    x = x + encoder.embed_positions.weight[: x.shape[1]]
    attend = mask | ~mask.any(1, keepdim=True)  # a silent sample attends to everything and is dropped by the caller
    bias = torch.zeros_like(x[:, None, None, :, 0]).masked_fill(~attend[:, None, None], torch.finfo(x.dtype).min)
    states = [x]
    for layer in encoder.layers:
        out = layer(x, attention_mask=bias)
        x = out[0] if isinstance(out, tuple) else out
        states.append(x)
    states[-1] = encoder.layer_norm(x)
    return torch.stack(states, dim=1), mask


def listen(encoder: WhisperEncoder, mel: Tensor, mel_mask: Tensor) -> tuple[Tensor, Tensor]:
    """What pooling works on: states [B, L, S, D] of 40 ms each (two positions averaged), and their mask [B, S] without pauses.

    The level is that of the utterance's own loudest sound, so gain and distance of the microphone change nothing.
    """
    mel, loud = levelled(mel, mel_mask)
    states, mask = hidden_states(encoder, mel, mel_mask)
    if mask.shape[1] % 2:
        states, mask = F.pad(states, (0, 0, 0, 1)), F.pad(mask, (0, 1))
    weight = mask.unflatten(1, (-1, 2)).to(states.dtype)  # [B, S, 2]
    pairs = torch.where(weight[:, None, ..., None] > 0, states.unflatten(2, (-1, 2)), 0.0)
    mean = pairs.sum(3) / weight.sum(-1).clamp_min(1)[:, None, :, None]
    if missing := -loud.shape[1] % POOLED_FRAMES:
        loud = F.pad(loud, (0, missing))
    return mean, loud.unflatten(1, (-1, POOLED_FRAMES)).any(-1)


def levelled(mel: Tensor, mel_mask: Tensor) -> tuple[Tensor, Tensor]:
    """The log-mel [B, M, T] with each utterance's loudest bin at `LOUDEST`, and [B, T] which frames are not pauses."""
    peak = torch.where(mel_mask, mel.amax(1), -torch.inf)  # [B, T]
    loudest = peak.amax(1, keepdim=True)  # [B, 1]
    offset = torch.where(loudest.isfinite(), LOUDEST - loudest, 0.0)
    return mel + offset[:, None], mel_mask & (peak >= loudest - GATE_DB / 10 * PER_DECADE)


class MaskedAttentionPool(nn.Module):
    """Softmax attention of Q learned queries over positions; gives mean and standard deviation per query (Okabe et al. 2018)."""

    def __init__(self, dim: int, queries: int):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(dim, dim // 4), nn.Tanh(), nn.Linear(dim // 4, queries))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """x [B, S, D], mask [B, S] -> [B, Q, 2 D]; zeros where nothing is valid."""
        weight = self.score(x).masked_fill(~mask[..., None], torch.finfo(x.dtype).min).softmax(1)  # [B, S, Q]
        weight = weight * mask[..., None]
        mean = torch.einsum("bsq,bsd->bqd", weight, x)
        spread = torch.einsum("bsq,bsd->bqd", weight, x.square()) - mean.square()
        return torch.cat([mean, spread.clamp_min(1e-6).sqrt() * mask.any(1)[:, None, None]], dim=-1)


class ProsodyToken(nn.Module):
    """Measured cues, placed between the bounds of their stated references, with a flag where a cue was not measured."""

    def __init__(self, dim: int):
        super().__init__()
        bounds = torch.tensor([[kind.low, kind.high] for kind in VOICE_CUES.values()])
        self.register_buffer("middle", bounds.mean(1), persistent=False)
        self.register_buffer("reach", (bounds[:, 1] - bounds[:, 0]) / 2, persistent=False)
        self.body = nn.Sequential(nn.Linear(2 * len(VOICE_CUES), dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, prosody: Tensor) -> Tensor:
        known = ~torch.isnan(prosody)
        placed = torch.where(known, (prosody - self.middle) / self.reach, 0.0).clamp(-4, 4)
        return self.body(torch.cat([placed, known.to(placed.dtype)], dim=-1))  # [B, D]


class VoiceAdapter(LowRankLayers):
    """Changes of some of Whisper's encoder layers, so that they tell how something is said. The encoder itself is a pinned asset
    and stays as it is; only these weights are saved."""

    def __init__(self, encoder: WhisperEncoder, rank: int, layers: Sequence[int]):
        """`layers`: counted from 0. Raises ConfigError for one that the encoder does not have."""
        if strange := [n for n in layers if not 0 <= n < len(encoder.layers)]:
            raise ConfigError(f"voice: layer {strange[0]} is none of the encoder's 0 to {len(encoder.layers) - 1}")
        super().__init__({n: encoder.layers[n] for n in layers}, rank, PROJECTIONS)


class VoiceEncoder(nn.Module):
    """Whisper states mixed over layers, narrowed and pooled to `tokens` tokens, and one token of measured prosody.

    Narrowing comes before pooling because emotional speech is scarce: with few speakers, every width less is a speaker less to
    learn by heart. adapter: VoiceConfig.adapter, the sizes of a VoiceAdapter; None: Whisper as it is.
    """

    def __init__(self, encoder: WhisperEncoder, tokens: int = 4, dropout: float = 0.0, adapter: Mapping[str, Any] | None = None):
        super().__init__()
        self.encoder, dim = encoder, encoder.config.d_model
        narrow = NARROW * dim // 8
        self.pooled_width = 2 * narrow
        self.mix = nn.Parameter(-8 * (torch.linspace(0, 1, encoder.config.encoder_layers + 1) - BEST_DEPTH).square())
        self.register_buffer("centre", torch.zeros(len(self.mix), dim))
        self.register_buffer("spread", torch.ones(len(self.mix), dim))
        self.narrow = nn.Sequential(nn.Dropout(dropout), nn.Linear(dim, narrow), nn.GELU())
        self.pool = MaskedAttentionPool(narrow, tokens)
        self.out, self.prosody = nn.Linear(2 * narrow, dim), ProsodyToken(dim)
        self.adapter = None if adapter is None else VoiceAdapter(encoder, **adapter)

    def set_moments(self, mean: Tensor, deviation: Tensor) -> None:
        """[L, D] of training speech. Whisper's later layers have single channels a hundred times as large as the others, which a
        norm over channels would make everything of. They are constants: nothing is normalised by what is being judged."""
        self.centre.copy_(mean)
        self.spread.copy_(deviation.clamp_min(1e-3))

    def forward(self, batch: VoiceBatch) -> VoiceOutput:
        return self.hear(batch.mel, batch.mel_mask, batch.prosody)

    def hear(self, mel: Tensor, mel_mask: Tensor, prosody: Tensor) -> VoiceOutput:
        """As VoiceBatch has them."""
        return self.pool_states(*self.listen(mel, mel_mask), prosody)

    def listen(self, mel: Tensor, mel_mask: Tensor) -> tuple[Tensor, Tensor]:
        """As the function of that name, by the adapted encoder where there is an adapter."""
        with nullcontext() if self.adapter is None else self.adapter.in_force(self.encoder.layers):
            return listen(self.encoder, mel, mel_mask)

    def take_adapter(self, state: Mapping[str, Tensor]) -> dict[str, Any] | None:
        """Have a new adapter of just the sizes that saved weights of this encoder (names without `voice.`) were made with, or
        none; returns VoiceConfig.adapter."""
        downs = {name: value for name, value in state.items() if name.startswith("adapter.") and name.endswith(".0.weight")}
        layers = sorted({int(name.split(".")[2]) for name in downs})
        sizes = {"rank": len(next(iter(downs.values()))), "layers": layers} if downs else None
        here = self.centre.device
        self.adapter = None if sizes is None else VoiceAdapter(self.encoder, **sizes).train(self.training).to(here)
        return sizes

    def pool_states(self, states: Tensor, mask: Tensor, prosody: Tensor) -> VoiceOutput:
        """From (cached) states [B, L, S, D]: training runs this part alone once the encoder is frozen."""
        weight = self.mix.softmax(0)[:, None] / self.spread  # [L, D]
        mixed = torch.einsum("ld,blsd->bsd", weight, states) - (weight * self.centre).sum(0)  # [B, S, D]
        pooled = self.pool(self.narrow(mixed), mask)  # [B, Q, 2 W]
        tokens = torch.cat([self.out(pooled), self.prosody(prosody)[:, None]], dim=1)  # [B, Q + 1, D]
        here = mask.any(1)
        return VoiceOutput(tokens * here[:, None, None], pooled[:, 0], here)
