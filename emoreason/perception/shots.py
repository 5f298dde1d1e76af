"""Shot boundaries and representative frames, from tiny versions of the sampled frames."""

import cv2
import numpy as np

_THUMB = (32, 18)  # width, height: enough to see the composition, too small to see noise and small motion
MIN_SHOT_S = 0.3  # flashes and strobes are no cuts


def thumbnail(image: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] -> float32 [18, 32, 3] in 0..1, each cell the mean of its area."""
    # Every second pixel first where there are plenty: the area mean of a full frame would cost more than all the rest here.
    step = max(1, min(image.shape[0] // (_THUMB[1] * 4), image.shape[1] // (_THUMB[0] * 4)))
    return cv2.resize(np.ascontiguousarray(image[::step, ::step]), _THUMB, interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """0..1: half layout (mean absolute difference of cells, exposure removed), half colours (distance of histograms)."""
    layout = np.abs((a - a.mean()) - (b - b.mean())).mean()
    return float(0.5 * min(1.0, 3 * layout) + 0.5 * np.abs(_histogram(a) - _histogram(b)).sum() / 2)


def _histogram(thumb: np.ndarray) -> np.ndarray:
    """[64] share of cells in each of 4 x 4 x 4 colours."""
    cells = np.minimum((thumb * 4).astype(np.int32), 3).reshape(-1, 3)
    return np.bincount(cells @ np.array([16, 4, 1]), minlength=64) / len(cells)


class CutFinder:
    """Tells frame by frame whether a new shot starts.

    A cut is a difference to the frame before of at least `threshold` that also stands out from the usual one of its shot
    (a running mean), so that a shaky camera does not cut at every frame.
    """

    def __init__(self, threshold: float = 0.15, contrast: float = 3.0) -> None:
        self.threshold, self.contrast = threshold, contrast
        self._last: np.ndarray | None = None
        self._usual, self._start_s = 0.0, 0.0

    def __call__(self, thumb: np.ndarray, time_s: float) -> bool:
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
        self._kept: list[tuple[float, np.ndarray]] = []
        self._next_s = 0.0

    def __call__(self, thumb: np.ndarray, time_s: float, cut: bool) -> None:
        if cut:
            self._next_s = time_s + MIN_SHOT_S  # the first frames of a shot may still be blended with the one before
        if self._kept and time_s < self._next_s:
            return
        self._next_s = time_s + self.spacing_s
        self._kept.append((time_s, thumb))
        if len(self._kept) > self.most:
            self._drop_one()

    def _drop_one(self) -> None:
        """Drop the frame that differs least from another one; of such a pair the later, so that the choice is stable."""
        closest = [min(difference(thumb, other) for _, other in self._kept[:i]) for i, (_, thumb) in enumerate(self._kept) if i]
        del self._kept[1 + int(np.argmin(closest))]

    def times_s(self, duration_s: float) -> tuple[float, ...]:
        """Chosen times, ascending: at least one where any frame was seen."""
        allowed = max(1, min(self.most, int(np.ceil(duration_s * self.per_minute / 60))))
        while len(self._kept) > allowed:
            self._drop_one()
        return tuple(time_s for time_s, _ in self._kept)
