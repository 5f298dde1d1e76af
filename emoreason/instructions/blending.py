"""Pictures and films made of two faces: of compound expressions, and of the way from a neutral face to its peak.

Mixup (H. Zhang et al., ICLR 2018) lays one face over another of another emotion, CutMix (S. Yun et al., ICCV 2019) puts a
rectangle of it into the other; the label shares are those of the pixels. A morph dissolves a person's neutral picture into the
peak of the same sequence: when the units start and are strongest is known, because it was made so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from emoreason.errors import ConfigError
from emoreason.instructions.observe_all import Roots, files_of
from emoreason.instructions.pairing import Blend
from emoreason.instructions.record import Media, Record
from emoreason.media.picture import load_picture, shrink

MORPH_FPS = 12.0  # as often as perception looks
HOLD = 3  # frames that a morph stays at either end
STEPS = (4, 10)  # fewest and most frames between them: 0.3 to 0.8 s


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


def morph(first: np.ndarray, last: np.ndarray, steps: int) -> list[np.ndarray]:
    """uint8 [H, W, 3] each: HOLD times the first, `steps` pictures in between, slowest at both ends, HOLD times the last."""
    way = (1 - np.cos(np.pi * np.arange(1, steps + 1) / (steps + 1))) / 2  # 0..1, a raised cosine
    return [first] * HOLD + [mixup(last, first, share) for share in way] + [last] * HOLD


def write_morphs(sequences: Iterable[Record], roots: Roots, folder: Path, rng: np.random.Generator) -> Iterator[Record]:
    """Of each record of `neutral_to_peak` a film in a folder of its own below `folder`, which is the root of the records."""
    for number, record in enumerate(sequences):
        files = files_of(record, _root(record, roots))
        first, last = load_picture(str(files[0])), load_picture(str(files[-1]))
        steps = int(rng.integers(STEPS[0], STEPS[1] + 1))
        place = folder / f"morph_{number:06d}"
        place.mkdir(parents=True, exist_ok=True)
        frames = morph(first, last if last.shape == first.shape else shrink(last, first.shape[1::-1]), steps)
        for at, frame in enumerate(frames):
            Image.fromarray(frame).save(place / f"{at:02d}.png")
        times = {"onset_s": HOLD / MORPH_FPS, "apex_s": (HOLD + steps) / MORPH_FPS}
        units = [unit.model_copy(update=times) if unit.present else unit for unit in record.action_units]
        media = Media(frames=[f"{place.name}/{at:02d}.png" for at in range(len(frames))], frame_rate=MORPH_FPS)
        yield record.model_copy(update={"media": media, "action_units": units})


def _picture(record: Record, roots: Roots) -> np.ndarray:
    """The one picture of a record. Under several roots its path begins with the name of the data set it belongs to."""
    if record.media is None or record.media.image is None:
        raise ConfigError(f"record {record.id} has no picture: only pictures can be blended")
    return load_picture(str(files_of(record, _root(record, roots))[0]))


def _root(record: Record, roots: Roots) -> Path:
    root = roots if isinstance(roots, Path) else roots.get(record.dataset)
    if root is None:
        raise ConfigError(f"record {record.id}: no root is known for data set '{record.dataset}'")
    return root
