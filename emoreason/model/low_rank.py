"""Low-rank changes of the linear layers of a pretrained network: LoRA (Hu et al. 2022, arXiv:2106.09685)."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn


class LowRankLayers(nn.Module):
    """Changes of some layers, in force only where the caller says so: the layers themselves stay as they are."""

    def __init__(self, layers: Mapping[int, nn.Module], rank: int, projections: re.Pattern[str]):
        """`layers`: those to be changed, by their place in the network; `projections`: which linear modules of a layer, by their
        name in it. A new adapter changes nothing yet."""
        super().__init__()
        self.projections, self.rank = projections, rank
        self.layers = nn.ModuleDict(
            {str(n): nn.ModuleDict({key: _low_rank(module, rank) for key, module in self._linear(layer)})
             for n, layer in layers.items()}
        )  # fmt: skip

    @contextmanager
    def in_force(self, layers: nn.ModuleList) -> Iterator[None]:
        """Meanwhile the network's `layers` are changed."""
        handles = [
            module.register_forward_hook(partial(_add, changes[key]))
            for n, changes in self.layers.items()
            for key, module in self._linear(layers[int(n)])
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @torch.no_grad()
    def merge_into(self, layers: nn.ModuleList) -> None:
        """Change the weights of the network's `layers` themselves, for good."""
        for n, changes in self.layers.items():
            for key, module in self._linear(layers[int(n)]):
                down, up = changes[key]
                module.weight += (up.weight @ down.weight).to(module.weight.dtype)

    def _linear(self, layer: nn.Module) -> Iterator[tuple[str, nn.Module]]:
        """The linear modules that are changed, by their last name, which is their own within a layer."""
        for name, module in layer.named_modules():
            if self.projections.fullmatch(name):
                yield name.rpartition(".")[2], module


def _low_rank(module: nn.Module, rank: int) -> nn.Sequential:
    up = nn.Linear(rank, module.out_features, bias=False)
    nn.init.zeros_(up.weight)
    return nn.Sequential(nn.Linear(module.in_features, rank, bias=False), up)


def _add(change: nn.Sequential, _: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
    return out + change(inputs[0].to(change[0].weight.dtype)).to(out.dtype)
