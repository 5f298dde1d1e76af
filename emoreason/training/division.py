"""Division of a frozen language model over processes: `accelerate launch` by configs/accelerate/fsdp2.yaml or zero3.yaml.

What trains (adapter, connectors, heads) stays whole in every process and is averaged by DDP as without a division: checkpoints,
averages and resuming do not know of it. The frozen weights of each decoder layer lie in shares, are gathered when the layer
computes and dropped after it (FSDP2, torch's fully_shard; the idea is stage 3 of ZeRO, Rajbhandari et al. 2020, 1910.02054).
zero3.yaml leaves the shares in the host's memory (ZeRO-Infinity, Rajbhandari et al. 2021, arXiv:2104.07857, without its disks).
There is no way back: for answers by one process alone the model is made anew, from what was trained.
accelerate's own way would divide everything, and on CPU nothing, so it is not shown the launcher's wish.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from emoreason.errors import ConfigError

_FSDP, _DEEPSPEED, _VERSION = "ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED", "FSDP_VERSION"
_OFFLOAD = "FSDP_OFFLOAD_PARAMS"


def is_wanted() -> bool:
    """Whether the launcher asks for it. Raises ConfigError for FSDP1 and DeepSpeed, whose checkpoints would be in pieces."""
    if os.environ.get(_DEEPSPEED) == "true":
        raise ConfigError("DeepSpeed is not supported: launch by configs/accelerate/zero3.yaml, torch's own stage 3")
    if os.environ.get(_FSDP) != "true":
        return False
    if os.environ.get(_VERSION) != "2":
        raise ConfigError("FSDP1 is not supported: set fsdp_version: 2, as configs/accelerate/fsdp2.yaml does")
    return True


def check(decoder: nn.Module | None) -> nn.Module:
    """The decoder. Raises ConfigError where there is none, or one that cannot be divided."""
    if decoder is None:
        raise ConfigError("nothing to divide: no frozen language model in this training; launch by configs/accelerate/ddp.yaml")
    if not all(parameter.is_floating_point() for parameter in decoder.parameters()):
        raise ConfigError("quantised weights cannot be divided: launch by configs/accelerate/ddp.yaml, or load them unquantised")
    return decoder


@contextmanager
def unseen() -> Iterator[None]:
    """accelerate and transformers do not see that the launcher asks for it."""
    before = os.environ.pop(_FSDP, None)
    try:
        yield
    finally:
        if before is not None:
            os.environ[_FSDP] = before


def divide(decoder: nn.Module, device: torch.device, processes: int) -> None:
    """Leave this process its share of the frozen weights of `decoder.layers`: from now on all processes must call the model
    together. All must call this, too, after DDP took over what trains."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import CPUOffloadPolicy, OffloadPolicy, fully_shard

    away = os.environ.get(_OFFLOAD) == "true"
    options = {
        "mesh": init_device_mesh(device.type, (processes,)),
        "offload_policy": CPUOffloadPolicy(pin_memory=device.type != "cpu") if away else OffloadPolicy(),
    }
    for layer in decoder.layers:
        fully_shard(layer, ignored_params={p for p in layer.parameters() if p.requires_grad}, **options)
    inside = {p for layer in decoder.layers for p in layer.parameters()}
    # it owns nothing itself, but lets the layers gather ahead of time; embeddings are used outside of it, too
    fully_shard(decoder, ignored_params={p for p in decoder.parameters() if p.requires_grad or p not in inside}, **options)
