"""What cameras, light and hands do to pictures of faces, drawn at random for training.

Letters: F frames, H crop side. Crops are float 0..1 [F, H, H]; clips [F] number the clip of each frame, and all frames of a clip
are damaged alike. Which share of the clips each kind of damage hits: settings.face.FaceAugment. Damage of a fixed strength, for
validation and suites, is in perception/degraded.py.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from emoreason.training.face.chance import per_clip
from emoreason.training.settings.face import FaceAugment

# Covers: a mask or scarf, hair or a hat, a hand from the left or the right, dark glasses, a hand before mouth or cheek
_COVERS = torch.tensor([0.26, 0.1, 0.15, 0.15, 0.1, 0.24])
_OTHER_FACE = 0.35  # share of covers that show what is seen of somebody else; the others are one tone with some grain
# Luminance quantisation of JPEG at quality 50: ITU-T T.81, annex K.
_QUANTA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
_COSINES = torch.tensor(  # the discrete cosine transform of eight values
    [[math.sqrt((1 if k == 0 else 2) / 8) * math.cos(math.pi * (n + 0.5) * k / 8) for n in range(8)] for k in range(8)]
)


def damaged(crops: Tensor, clips: Tensor, rng: torch.Generator, strength: FaceAugment) -> tuple[Tensor, Tensor]:
    """Crops with the damage that the shares in `strength` ask for, in the order of the world (before the face, light, lens,
    sensor, file), and which frames bool [F] were hit. Shares of 0 draw nothing."""
    hit = torch.zeros(len(crops), dtype=torch.bool)
    changes: tuple[tuple[float, Callable[[Tensor, Tensor, torch.Generator], Tensor]], ...] = (
        (strength.cover, covered),
        (strength.side_light, side_lit),
        (strength.blur, blurred),
        (strength.small, few_pixels),
        (strength.dark, darkened),
        (strength.jpeg, compressed),
    )
    for share, change in changes:
        if not share:
            continue
        which = (per_clip(torch.rand, clips, rng) < share).nonzero().flatten()
        if len(which):
            _, own = clips[which].unique(return_inverse=True)
            crops = crops.index_copy(0, which, change(crops[which], own, rng).clamp(0, 1))
            hit[which] = True
    return crops, hit


def covered(crops: Tensor, clips: Tensor, rng: torch.Generator) -> Tensor:
    """Something before a part of the face: of one tone, or another face of the batch, out of place."""

    def draw(*shape: int) -> Tensor:
        return per_clip(torch.rand, clips, rng, *shape)

    inside = _shapes(crops.shape[-1], draw)  # [kinds, F, H, H]
    kinds = torch.multinomial(_COVERS, int(clips.max()) + 1, replacement=True, generator=rng)[clips]
    grain = 0.08 * draw(1, 1) * torch.randn(crops.shape, generator=rng)
    tone = 0.05 + 0.85 * draw(1, 1) + grain
    first = torch.stack([(clips == clip).nonzero()[0, 0] for clip in range(int(clips.max()) + 1)])  # a frame of each clip
    other = crops[first.roll(1)[clips]].roll(crops.shape[-1] // 3, dims=1).flip(1)
    fill = torch.where(draw(1, 1) < _OTHER_FACE, other, tone)
    return torch.where(inside[kinds, torch.arange(len(crops))], fill, crops)


def _shapes(size: int, draw: Callable[..., Tensor]) -> Tensor:
    """bool [kinds, F, H, H] what each kind of cover hides, in the order of `_COVERS`."""
    at = (torch.arange(size) + 0.5) / size
    x, y = at[None, None, :], at[None, :, None]
    edge, tilt = 0.38 + 0.24 * draw(1, 1), 0.4 * (draw(1, 1) - 0.5)
    band_y, band_height = 0.3 + 0.1 * draw(1, 1), 0.05 + 0.06 * draw(1, 1)
    centre_x, centre_y = 0.25 + 0.5 * draw(1, 1), 0.55 + 0.4 * draw(1, 1)
    wide, high = 0.12 + 0.25 * draw(1, 1), 0.1 + 0.22 * draw(1, 1)
    turn = 2.5 * (draw(1, 1) - 0.5)
    right, down = x - centre_x, y - centre_y
    along, across = right * turn.cos() + down * turn.sin(), down * turn.cos() - right * turn.sin()
    sloped_y, sloped_x = y + tilt * (x - 0.5), x + tilt * (y - 0.5)
    below, above = sloped_y > edge + 0.1, sloped_y < edge - 0.05
    left, far_right = sloped_x < edge, sloped_x > 1 - edge
    band = ((y - band_y).abs() < band_height).expand_as(below)
    hand = (along / wide) ** 2 + (across / high) ** 2 < 1
    return torch.stack([below, above, left, far_right, band, hand])


def side_lit(crops: Tensor, clips: Tensor, rng: torch.Generator) -> Tensor:
    """Light from one side, mostly left or right; the other side is nearly dark, with a hard or a soft edge between."""

    def draw(*shape: int) -> Tensor:
        return per_clip(torch.rand, clips, rng, *shape)

    size = crops.shape[-1]
    angle = 2.4 * (draw(1, 1) - 0.5) + math.pi * (draw(1, 1) < 0.5)
    at = (torch.arange(size) + 0.5) / size - 0.5
    along = at * angle.cos() + at[:, None] * angle.sin()  # [F, H, H]
    width, offset = 0.1 + 0.7 * draw(1, 1), 0.3 * (draw(1, 1) - 0.5)
    ramp = ((along - offset) / width + 0.5).clamp(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    low, high = 0.05 + 0.35 * draw(1, 1), 0.9 + 0.6 * draw(1, 1)
    return crops * (low + (high - low) * ramp)


def blurred(crops: Tensor, clips: Tensor, rng: torch.Generator) -> Tensor:
    """Gaussian, with a deviation of 1 to 4.6 % of the crop."""
    size, count = crops.shape[-1], len(crops)
    sigma = (0.5 + 1.7 * per_clip(torch.rand, clips, rng, 1)) * size / 48  # [F, 1] px
    reach = max(round(5 * size / 48), 1)
    at = torch.arange(-reach, reach + 1)
    kernel = (-at.square() / (2 * sigma.square())).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True))[:, None]  # [F, 1, 2 reach + 1]
    wide = F.pad(crops[None], (reach,) * 4, mode="replicate")  # frames as channels, each with its own kernel
    return F.conv2d(F.conv2d(wide, kernel[:, :, None], groups=count), kernel[..., None], groups=count)[0]


def few_pixels(crops: Tensor, clips: Tensor, rng: torch.Generator) -> Tensor:
    """A quarter to two thirds of the pixels across, then enlarged again."""
    size, out = crops.shape[-1], crops.clone()
    for clip in range(int(clips.max()) + 1):
        own = clips == clip
        few = int(torch.randint(size // 4, 2 * size // 3, (), generator=rng))
        mode = "bicubic" if torch.rand((), generator=rng) < 0.5 else "bilinear"
        small = F.interpolate(crops[own][:, None], few, mode="area")
        out[own] = F.interpolate(small, size, mode=mode, align_corners=False)[:, 0]
    return out


def darkened(crops: Tensor, clips: Tensor, rng: torch.Generator) -> Tensor:
    """A tenth to a half of the light, the sensor's noise, and 8 bits: contrast is lost for good."""
    light = 0.1 + 0.4 * per_clip(torch.rand, clips, rng, 1, 1)
    noise = 0.005 + 0.02 * per_clip(torch.rand, clips, rng, 1, 1)
    seen = crops.clamp(0, 1) ** 1.2 * light + noise * torch.randn(crops.shape, generator=rng)
    return (seen * 255).round() / 255


def compressed(crops: Tensor, clips: Tensor, rng: torch.Generator) -> Tensor:
    """Blocks of 8 x 8 pixels quantised as JPEG does, at a quality of about 60 down to 15."""
    coarse = 0.8 + 2.2 * per_clip(torch.rand, clips, rng, 1, 1, 1, 1)  # [F, 1, 1, 1, 1]
    size = crops.shape[-1]
    blocks = (crops * 255 - 128).view(len(crops), size // 8, 8, size // 8, 8)
    waves = torch.einsum("ki,faibj,lj->fakbl", _COSINES, blocks, _COSINES)
    quanta = (_QUANTA[:, None] * coarse).clamp_min(1)  # [F, 1, 8, 1, 8]
    waves = (waves / quanta).round() * quanta
    blocks = torch.einsum("ki,fakbl,lj->faibj", _COSINES, waves, _COSINES)
    return (blocks.reshape(crops.shape) + 128) / 255
