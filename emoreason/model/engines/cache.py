"""Key-value caches with room for what will be written: transformers' own copies itself whole for every token."""

from copy import copy, deepcopy

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer


def with_room(cache: Cache, tokens: int) -> Cache:
    """A copy that takes that many tokens in place. Layers that do not simply grow (sliding windows, states) are copied as they
    are."""
    grown = copy(cache)
    grown.layers = [RoomyLayer(layer, tokens) if type(layer) is DynamicLayer else deepcopy(layer) for layer in cache.layers]
    return grown


class RoomyLayer(DynamicLayer):
    """`keys` and `values` [B, heads, S, D] are the used beginning of tensors that are `tokens` longer; beyond, they grow as in
    transformers. Its rows are not to be repeated or selected."""

    def __init__(self, layer: DynamicLayer, tokens: int):
        super().__init__()
        self.lazy_initialization(layer.keys, layer.values)
        self._stores = [_longer(layer.keys, tokens), _longer(layer.values, tokens)]
        self.keys, self.values = (store[..., : layer.get_seq_length(), :] for store in self._stores)

    def update(self, key_states: Tensor, value_states: Tensor, *args, **kwargs) -> tuple[Tensor, Tensor]:
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        if end > self._stores[0].shape[-2]:
            return super().update(key_states, value_states, *args, **kwargs)
        for store, new in zip(self._stores, (key_states, value_states), strict=True):
            store[..., start:end, :] = new
        self.keys, self.values = (store[..., :end, :] for store in self._stores)
        return self.keys, self.values


def _longer(states: Tensor, tokens: int) -> Tensor:
    return torch.cat([states, states.new_zeros(*states.shape[:-2], tokens, states.shape[-1])], dim=-2)
