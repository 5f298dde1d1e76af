"""The processes of one training: one, or as many as `accelerate launch` or `torchrun` started, each with a copy of the model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from accelerate import PartialState


def joined() -> "PartialState":
    """This process among its peers; the first call meets them."""
    from accelerate import PartialState  # an extra: pip install 'emoreason[train]'

    # the others wait while the main one prepares data, for longer than the ten minutes of torch's default
    return PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(hours=12))


def mean(values: Mapping[str, float]) -> dict[str, float]:
    """Of every value over the processes, which must all ask, and for the same names."""
    here = joined()
    if here.num_processes == 1 or not values:
        return dict(values)
    from accelerate.utils import reduce

    held = torch.tensor(list(values.values()), dtype=torch.float32, device=here.device)
    return dict(zip(values, reduce(held, "mean").tolist(), strict=True))


def any_of(flag: bool) -> bool:
    """Whether it holds in any process."""
    return mean({"flag": float(flag)})["flag"] > 0


@contextmanager
def main_first() -> Iterator[bool]:
    """The main process goes through the block before the others, which then find its files. Gives whether this is it."""
    here = joined()
    with here.main_process_first():
        yield here.is_main_process
