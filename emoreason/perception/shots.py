"""Shot boundaries and representative frames, from tiny versions of the sampled frames."""

from dataclasses import dataclass

import cv2
import numpy as np

_THUMB = (32, 18)  # width, height: enough to see the composition, too small to see noise and small motion
MIN_SHOT_S = 0.3  # flashes and strobes are no cuts


@dataclass(frozen=True)
class Thumbnail:
    """A frame shrunk to what shot changes show in."""

    cells: np.ndarray  # [18, 32, 3] float32 in 0..1, each the mean of its area
    colours: np.ndarray  # [576, 3] the same, each channel sorted

    @property
    def brightness(self) -> float:
        """0..1"""
        return float(self.cells.mean())


def thumbnail(image: np.ndarray) -> Thumbnail:
    """image: uint8 RGB [H, W, 3]."""
    # Every n-th pixel first where there are plenty: the area mean of a full frame would cost more than all the rest here.
    step = max(1, min(image.shape[0] // (_THUMB[1] * 4), image.shape[1] // (_THUMB[0] * 4)))
    cells = cv2.resize(image[::step, ::step], _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return Thumbnail(cells, np.sort(cells.reshape(-1, 3), axis=0))


def difference(a: Thumbnail, b: Thumbnail) -> float:
    """0..1: half layout (mean absolute difference of cells, exposure removed), half colours (earth mover's distance a channel).

    Sorted values rather than histogram bins: a slow fade must not jump when a flat area crosses the edge of a bin.
    """
    change = a.cells - b.cells
    layout = float(np.abs(change - change.mean()).mean())
    colours = float(np.abs(a.colours - b.colours).mean())
    return 0.5 * min(1.0, 3 * layout) + 0.5 * min(1.0, 3 * colours)


class CutFinder:
    """Tells frame by frame whether a new shot starts.

    A cut is a difference to the frame before of at least `threshold` that also stands out from the usual one of its shot
    (a running mean), so that a shaky camera does not cut at every frame.
    """

    def __init__(self, threshold: float = 0.15, contrast: float = 3.0) -> None:
        self.threshold, self.contrast = threshold, contrast
        self._last: Thumbnail | None = None
        self._usual, self._start_s = 0.0, 0.0

    def __call__(self, thumb: Thumbnail, time_s: float) -> bool:
        last, self._last = self._last, thumb
        if last is None:
            self._start_s = time_s
            return False
        change = difference(last, thumb)
        if change >= max(self.threshold, self.contrast * self._usual) and time_s - self._start_s >= MIN_SHOT_S:
            self._usual, self._start_s = 0.0, time_s
            return True
        self._usual += 0.2 * (change - self._usual)
        return False


class SceneChooser:
    """Keeps the few frames that differ most from each other, online: at most `most`, thinned to 4 a minute at the end."""

    def __init__(self, most: int = 16, per_minute: float = 4.0, spacing_s: float = 0.5) -> None:
        self.most, self.per_minute, self.spacing_s = most, per_minute, spacing_s
        self._kept: list[tuple[float, Thumbnail]] = []
        self._apart: list[list[float]] = []  # difference of each kept frame to those before it
        self._next_s = 0.0

    def __call__(self, thumb: Thumbnail, time_s: float, cut: bool) -> None:
        if cut:
            self._next_s = time_s + MIN_SHOT_S / 2  # the first frames of a shot may still be blended with the one before
        if self._kept and time_s < self._next_s:
            return
        self._next_s = time_s + self.spacing_s
        self._apart.append([difference(thumb, other) for _, other in self._kept])
        self._kept.append((time_s, thumb))
        if len(self._kept) > self.most:
            self._drop_one()

    def _drop_one(self) -> None:
        """Drop the frame that differs least from an earlier one."""
        dropped = 1 + int(np.argmin([min(row) for row in self._apart[1:]]))
        del self._kept[dropped], self._apart[dropped]
        for row in self._apart[dropped:]:
            del row[dropped]

    def times_s(self, duration_s: float) -> tuple[float, ...]:
        """Chosen times, ascending: at least one where any frame was seen."""
        allowed = max(1, min(self.most, int(np.ceil(duration_s * self.per_minute / 60))))
        while len(self._kept) > allowed:
            self._drop_one()
        return tuple(time_s for time_s, _ in self._kept)
