"""Pictures of compound expressions, made of two faces with one emotion each: Mixup (H. Zhang et al., ICLR 2018) lays one over
the other, CutMix (S. Yun et al., ICCV 2019) puts a rectangle of one into the other. The label shares are those of the pixels.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import Roots, files_of
from emoreason.instructions.pairing import Blend
from emoreason.instructions.record import Record
from emoreason.media.picture import load_picture, shrink


def mixup(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """uint8 [H, W, 3] of two pictures of one size: `share` of the first, the rest of the second."""
    mixed = share * first.astype(np.float32) + (1 - share) * second.astype(np.float32)  # [H, W, 3]
    return np.rint(mixed).astype(np.uint8)


def cutmix(first: np.ndarray, second: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The first with a rectangle of the second, of the same proportions as the picture, somewhere inside it; and the share of
    the area that is left of the first, which whole pixels make a little different from `share`."""
    height, width = first.shape[:2]
    cut_height, cut_width = (max(1, round(side * (1 - share) ** 0.5)) for side in (height, width))
    top, left = rng.integers(height - cut_height + 1), rng.integers(width - cut_width + 1)
    mixed = first.copy()
    place = (slice(top, top + cut_height), slice(left, left + cut_width))
    mixed[place] = second[place]
    return mixed, 1 - cut_height * cut_width / (height * width)


def merge(blend: Blend, roots: Roots, rng: np.random.Generator) -> tuple[np.ndarray, Blend]:
    """The merged picture, uint8 [H, W, 3] in the size of the first, and the blend with the share that the pixels have.

    Raises ConfigError where a record is no single picture, MediaError where one cannot be read.
    """
    first, second = (_picture(record, roots) for record in (blend.first, blend.second))
    if second.shape != first.shape:
        second = shrink(second, first.shape[1::-1])
    if blend.how == "mixup":
        return mixup(first, second, blend.share), blend
    image, share = cutmix(first, second, blend.share, rng)
    return image, replace(blend, share=round(share, 6))


def write_blends(blends: Iterable[Blend], roots: Roots, folder: Path, rng: np.random.Generator) -> Iterator[Record]:
    """Merge each and write it into `folder`, which is the root of the records; every record keeps both labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, blend in enumerate(blends):
        image, blend = merge(blend, roots, rng)
        name = f"{blend.how}_{number:06d}.png"
        Image.fromarray(image).save(folder / name)
        yield blend.record(name)


def _picture(record: Record, roots: Roots) -> np.ndarray:
    """The one picture of a record. Under several roots its path begins with the name of the data set it belongs to."""
    if record.media is None or record.media.image is None:
        raise ConfigError(f"record {record.id} has no picture: only pictures can be blended")
    root = roots if isinstance(roots, Path) else roots.get(record.dataset)
    if root is None:
        raise ConfigError(f"record {record.id}: no root is known for data set '{record.dataset}'")
    return load_picture(str(files_of(record, root)[0]))
