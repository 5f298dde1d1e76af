"""Chance in augmentation: all frames of a clip get the same draw."""

import torch
from torch import Tensor


def per_clip(draw, clips: Tensor, rng: torch.Generator, *shape: int) -> Tensor:
    """One draw (torch.rand, torch.randn) for each clip, [F, ...]. clips [F]: number of the clip of each frame."""
    return draw(int(clips.max()) + 1, *shape, generator=rng)[clips]
