"""What the engines that run here have in common: encoders, connectors and heads in torch, and turns for threads."""

import threading
from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from emoreason.model.heads import Head
from emoreason.model.modeling import EmoReasonForConditionalGeneration

CACHE_BYTES = 1 << 30  # of keys and values (at times in three copies), which fill the memory with a large model


class LocalEngine:
    """`model` has the encoders and the heads. Soft tokens and the reading of utterances change it while they last, so threads
    take turns."""

    def __init__(self, model: EmoReasonForConditionalGeneration):
        self.model, self.turn = model.eval(), threading.RLock()

    @property
    def heads(self) -> Mapping[str, Head]:
        return dict(self.model.heads.items())

    @cached_property
    def cached_tokens(self) -> int:
        text = self.model.config.language_config.get_text_config()
        width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        return CACHE_BYTES // (2 * text.num_hidden_layers * heads * width * self.model.backbone.dtype.itemsize)

    @torch.no_grad()
    def perceive(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        with self.turn:
            seen, heard = self.model.encode(*(on_device(batch.get(part), self.model.device) for part in ("face", "voice")))
            return self.model.head_logits(seen, heard)


def on_device(value: Any, device: torch.device) -> Any:
    """Tensors, and those inside the encoders' batches, on that device."""
    if is_dataclass(value):
        return replace(value, **{name: on_device(inner, device) for name, inner in vars(value).items()})
    return value.to(device) if isinstance(value, Tensor) else value
