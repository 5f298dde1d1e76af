"""A video that is kept as one picture per frame, as many data sets are: read like any other clip."""

import hashlib
import math
import os
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from emoreason.media.clip import Clip, Frame
from emoreason.media.container import check_file
from emoreason.media.errors import MediaError, NoFrames
from emoreason.media.picture import load_picture, picture_size, shrink
from emoreason.media.source import Source


class FrameSequence(Clip):
    """Pictures in the order of the film, `fps` of them a second; the first comes on screen at second 0. There is no sound.

    All must have the size of the first that can be read. One that has not, or is damaged, is passed over: the picture before it
    stays on screen, and `problems` says so. Raises MissingFile, NotAFile, TooLarge, NoFrames (no picture can be read).

    >>> clip = FrameSequence(sorted(Path("S005_001").glob("*.png")), fps=30)
    """

    def __init__(self, pictures: Sequence[str | os.PathLike[str]], fps: float):
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps is {fps}; give the number of pictures that were taken per second")
        if not pictures:
            raise NoFrames("a sequence of no pictures: name at least one")
        self.pictures = tuple(os.fspath(picture) for picture in pictures)
        for picture in self.pictures:
            check_file(picture)
        self.path = os.path.dirname(self.pictures[0])
        self.kind, self.has_audio, self._probe, self._found, self._damage = "video", False, None, (), {}
        self.fps, self.duration_s = fps, len(self.pictures) / fps
        self.frame_times_s = np.arange(len(self.pictures)) / fps  # [n]
        self.size = self._first_size()

    def _first_size(self) -> tuple[int, int]:
        for picture in self.pictures:
            try:
                size = picture_size(picture)
            except MediaError:
                continue
            if size is not None:
                return size[:2]
        raise NoFrames(f"{self.path}: none of {len(self.pictures)} pictures can be read")

    @cached_property
    def source(self) -> Source:
        """Its hash is made of the pictures' own and the rate: the same pictures at another rate are another film."""
        total = hashlib.sha256(f"{self.fps} frames per second".encode())
        for picture in self.pictures:
            with open(picture, "rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        width, height = self.size
        return Source(self.path, total.hexdigest(), self.duration_s, self.fps, width, height, True, False, "video")

    def _frames(self, indices: np.ndarray, max_side: int | None) -> Iterator[tuple[int, Frame]]:
        """(index asked for, frame shown) for ascending indices."""
        shrunk = min(1.0, (max_side or math.inf) / max(self.size))
        size, held = tuple(max(1, round(side * shrunk)) for side in self.size), None
        for index in indices.tolist():
            image = self._picture(index)
            if image is not None:
                image = shrink(image, size) if shrunk < 1 else image
                held = Frame(index, float(self.frame_times_s[index]), image, shrunk)
            if held is not None:
                yield index, held

    def _picture(self, index: int) -> np.ndarray | None:
        """uint8 [H, W, 3]; None, noted as damage, where it cannot be read or has another size."""
        try:
            image = load_picture(self.pictures[index])
        except MediaError:
            image = None
        if image is None or image.shape[1::-1] != self.size:
            self._damage.setdefault("pictures", f"damaged pictures at {self.frame_times_s[index]:.1f} s")
            return None
        return image
