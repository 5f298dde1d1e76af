"""Pictures and clips with a real face: the pinned sample clip's, pasted where a test wants it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import pytest

from emoreason import assets
from emoreason.errors import AssetError
from emoreason.media import Clip, Frame

FACE = (slice(20, 350), slice(270, 600))  # of the sample clip's frame at 12.5 s: the whole head
GREY = (96, 104, 112)


@cache
def sample_frame(time_s: float = 12.5) -> np.ndarray:
    """uint8 [360, 640, 3]; skips the test where the assets are not pulled."""
    try:
        assets.path("face-landmarker")
        clip = Clip(assets.path("sample-clip") / "WolfgangLanger_Pexels.mp4")
    except AssetError as error:
        pytest.skip(str(error))
    return clip.frames([time_s])[0].image


def face(size: int, other: bool = False) -> np.ndarray:
    """uint8 [size, size, 3]: the head, or (`other`) a mirrored, recoloured one that stands for a second person."""
    picture = cv2.resize(sample_frame()[FACE], (size, size), interpolation=cv2.INTER_AREA)
    if other:
        picture = np.clip(picture[:, ::-1, [1, 0, 2]] * np.array([0.75, 0.9, 1.3]), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(picture)


def scene(*pasted: tuple[int, int, np.ndarray], size: tuple[int, int] = (640, 360), colour=GREY) -> np.ndarray:
    """uint8 [height, width, 3]: pictures at (x, y) on a plain ground, later ones in front; cut off at the edges."""
    width, height = size
    canvas = np.full((height, width, 3), colour, np.uint8)
    for x, y, picture in pasted:
        x0, y0 = max(x, 0), max(y, 0)
        part = picture[y0 - y : height - y, x0 - x : width - x]
        canvas[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
    return canvas


@dataclass
class FrameClip:
    """Stands in for a decoded Clip: frames at `fps`."""

    images: Sequence[np.ndarray]
    fps: float = 12.0
    kind: str = "video"
    scale: float = 1.0
    has_video: bool = True

    def sample(self, fps: float, max_side: int | None = None) -> Iterator[Frame]:
        yield from (Frame(i, i / self.fps, image, self.scale) for i, image in enumerate(self.images))
