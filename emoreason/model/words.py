"""Words: what was said, as the language model reads it, halfway up, for a head that knows what words show.

They are read alone: what a face or a voice shows has heads of its own. Letters: B segments, S tokens, D width.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from emoreason.errors import ConfigError
from emoreason.model.backbones import PROJECTIONS, decoder_of
from emoreason.model.batch import WordsBatch
from emoreason.model.low_rank import LowRankLayers


class WordsAdapter(LowRankLayers):
    """Changes of a language model's layers while it reads utterances: what it writes stays as it is, and its own adapter may be
    merged or not."""

    def __init__(self, layers: Mapping[int, nn.Module], rank: int):
        super().__init__(layers, rank, PROJECTIONS)


def new_adapter(backbone: PreTrainedModel, reads: Mapping[str, Any] | None) -> WordsAdapter | None:
    """As `EmoReasonConfig.words` says; None where it has no adapter.

    Raises ConfigError for layers that the language model does not have.
    """
    if reads is None:
        return None
    layers, last = _layers(backbone), reads["layer"]
    if not 1 <= last <= len(layers):
        raise ConfigError(f"words: layer {last} is none of the language model's 1 to {len(layers)}")
    if (adapter := reads.get("adapter")) is None:
        return None
    if not 1 <= adapter["layers"] <= last:
        raise ConfigError(f"words: the adapter's {adapter['layers']} layers are not among the first {last}")
    return WordsAdapter({n: layers[n] for n in range(last - adapter["layers"], last)}, adapter["rank"])


def read_words(backbone: PreTrainedModel, words: WordsBatch, layer: int, adapter: WordsAdapter | None = None) -> Tensor:
    """[B, 2 D]: mean of the utterance's states after `layer`, and the last of them; zeros for a row without words."""
    with nullcontext() if adapter is None else adapter.in_force(_layers(backbone)):
        states = _states_after(backbone, layer, {"input_ids": words.input_ids, "attention_mask": words.mask.long()})
    states, said = states.float(), words.said.float()  # [B, S, D], [B, S]
    mean = torch.einsum("bsd,bs->bd", states, said) / said.sum(1, keepdim=True).clamp_min(1)
    steps = torch.arange(said.shape[1], device=said.device)
    last = torch.where(words.said, steps, 0).amax(1)  # [B]
    end = states[torch.arange(len(said), device=said.device), last] * said.amax(1, keepdim=True)
    return torch.cat([mean, end], dim=1)


@torch.no_grad()
def merged_layers(backbone: PreTrainedModel, count: int, adapter: WordsAdapter | None = None) -> PreTrainedModel:
    """A model of its own of the first `count` layers, with the adapter's changes merged in."""
    config = deepcopy(backbone.config)
    config.num_hidden_layers = count
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:count]
    with no_init_weights():
        out = type(backbone)(config)
    out.load_state_dict(backbone.state_dict(), strict=False)
    if adapter is not None:
        adapter.merge_into(_layers(out))
    return out.eval()


class _Enough(Exception):
    """Ends a pass through the language model: the layers above are not asked for anything."""


def _states_after(backbone: PreTrainedModel, layer: int, given: Mapping[str, Tensor]) -> Tensor:
    """[B, S, D] after so many layers; the others do not run."""
    caught: list[Tensor] = []

    def catch(_: nn.Module, __: tuple, out: Tensor | tuple[Tensor, ...]) -> None:
        caught.append(out[0] if isinstance(out, tuple) else out)
        raise _Enough

    handle = _layers(backbone)[layer - 1].register_forward_hook(catch)
    try:
        backbone(**given, use_cache=False)
    except _Enough:
        return caught[0]
    finally:
        handle.remove()
    raise RuntimeError(f"layer {layer} did not run")


def _layers(backbone: PreTrainedModel) -> nn.ModuleList:
    decoder = decoder_of(backbone)
    if decoder is None:
        raise ConfigError(f"words: where the layers of a '{backbone.config.model_type}' lie is not known to model/backbones.py")
    return decoder.layers


def words_width(text_width: int) -> int:
    """Of what `read_words` gives."""
    return 2 * text_width
