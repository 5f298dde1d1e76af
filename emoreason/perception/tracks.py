"""Who is who from frame to frame: one track per person of a clip.

Three rules, in this order.
1. Within a shot a face continues the track whose predicted place, size and look it fits best (Hungarian assignment). A track
   survives `LOST_S` without a sighting.
2. A cut, or a longer absence, makes a track dormant. A new face wakes a dormant track only if look and face shape are close
   and clearly closer than for any other dormant track; when in doubt it becomes a new person, because splitting one person
   is the smaller error than merging two.
3. A track counts as a person once seen `CONFIRM` times; fewer are enough if the shot or the clip ended while it was in view.

There are no identity embeddings: `look` is colours around the face, `shape` seven bony proportions of the mesh. Both are
forgotten with the clip and are never stored.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

LOST_S = 1.5
CONFIRM = 3
DORMANT = 16  # tracks remembered per clip
# Look + shape distance below which a dormant track wakes. Measured between first and second half of 8 clips (one face each):
# same person 0.08-0.28 for 7 of them, 0.7 for one whose hands cover the face; different persons from 0.36 up.
WAKE, WAKE_MARGIN, SHAPE_WEIGHT = 0.33, 0.05, 0.15
# Mesh points over bone: inner eye corners, bridge, nose wings, temples, cheeks, forehead to bridge, right eye.
_BONES = np.array([(133, 362), (168, 2), (98, 327), (234, 454), (127, 356), (10, 2), (33, 133)])
_BONE_SPREAD = np.array([0.029, 0.042, 0.069, 0.025, 0.023, 0.035, 0.022])  # deviation of the logs within one clip, measured


def look(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """[2, 64] square roots of colour shares: head with hair, and the clothes below; NaN where outside the picture."""
    x, y, width, height = box
    head = _colours(image, x - 0.25 * width, y - 0.35 * height, x + 1.25 * width, y + height)
    clothes = _colours(image, x - 0.5 * width, y + 1.1 * height, x + 1.5 * width, y + 1.9 * height)
    return np.stack([head, clothes])


def _colours(image: np.ndarray, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    height, width = image.shape[:2]
    part = image[max(0, int(y0)) : min(height, max(0, int(y1))), max(0, int(x0)) : min(width, max(0, int(x1)))]
    if min(part.shape[:2]) < 4:
        return np.full(64, np.nan)
    cells = cv2.resize(part, (16, 16), interpolation=cv2.INTER_AREA).reshape(-1, 3) // 64
    return np.sqrt(np.bincount(cells.astype(np.int64) @ np.array([16, 4, 1]), minlength=64) / len(cells))


def shape(landmarks: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """[7] logs of bony distances of the mesh turned to the front, per outer-eye distance, in units of their usual spread."""
    rotation = transform[:3, :3] / np.linalg.norm(transform[:3, :3], axis=0)
    front = landmarks * np.array([1, -1, -1]) @ rotation
    lengths = np.linalg.norm(front[_BONES[:, 0]] - front[_BONES[:, 1]], axis=1) / np.linalg.norm(front[33] - front[263])
    return np.log(np.maximum(lengths, 1e-6)) / _BONE_SPREAD


def look_distance(a: np.ndarray, b: np.ndarray) -> float:
    """0..1: mean Hellinger distance of the parts seen in both; 0.5 where nothing can be compared."""
    both = ~(np.isnan(a[:, 0]) | np.isnan(b[:, 0]))
    return float(np.sqrt(np.clip(1 - (a[both] * b[both]).sum(1), 0, 1)).mean()) if both.any() else 0.5


@dataclass
class Sighting:
    """One face in one frame, as far as tracking cares. Any one scale for the boxes will do."""

    box: np.ndarray  # [4] x, y, width, height
    look: np.ndarray | None = None  # [2, 64]; None: not measured in this frame
    shape: np.ndarray | None = None  # [7]

    @property
    def centre(self) -> np.ndarray:
        return self.box[:2] + self.box[2:] / 2

    @property
    def size(self) -> float:
        return float(np.sqrt(self.box[2] * self.box[3]))


@dataclass(eq=False)
class Track:
    """One face followed over time: where it was last seen and how it looks."""

    last: Sighting
    last_s: float
    hits: int = 0
    state: Literal["new", "kept", "dropped"] = "new"
    velocity: np.ndarray | None = None  # [2] per second
    look: np.ndarray | None = None  # running means over sightings
    shape: np.ndarray | None = None
    face_id: int | None = None  # given by whoever reports it first

    def predicted(self, time_s: float) -> np.ndarray:
        """[4] box expected at `time_s`; motion is trusted for half a second."""
        box = self.last.box.copy()
        if self.velocity is not None:
            box[:2] += self.velocity * min(time_s - self.last_s, 0.5)
        return box

    def add(self, sighting: Sighting, time_s: float) -> None:
        if self.hits and time_s - self.last_s < LOST_S:
            moved = (sighting.centre - self.last.centre) / max(time_s - self.last_s, 1e-3)
            self.velocity = moved if self.velocity is None else 0.5 * self.velocity + 0.5 * moved
        else:
            self.velocity = None
        if sighting.look is not None:
            self.look = sighting.look if self.look is None else _blend(self.look, sighting.look)
        if sighting.shape is not None:
            self.shape = sighting.shape if self.shape is None else 0.8 * self.shape + 0.2 * sighting.shape
        self.last, self.last_s, self.hits = sighting, time_s, self.hits + 1
        if self.hits >= CONFIRM:
            self.state = "kept"


def _blend(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    mean = 0.8 * old + 0.2 * new
    return np.where(np.isnan(old), new, np.where(np.isnan(new), old, mean))


class Tracker:
    """Feed it each sampled frame in order: `match`, perhaps look again for `missing`, then `update`."""

    def __init__(self) -> None:
        self.live: list[Track] = []
        self.last_place: np.ndarray | None = None  # [4] box of the person lost last in this shot
        self._dormant: deque[Track] = deque(maxlen=DORMANT)

    def match(self, faces: Sequence[Sighting], time_s: float) -> list[Track | None]:
        """The live track of each face, or None."""
        self._retire(time_s)
        costs = np.array([[self._cost(face, track, time_s) for track in self.live] for face in faces])
        return _assign(costs, self.live, len(faces))

    def missing(self, matches: Sequence[Track | None]) -> list[Track]:
        return [track for track in self.live if not any(track is match for match in matches)]

    def update(self, faces: Sequence[Sighting], matches: Sequence[Track | None], time_s: float) -> list[Track]:
        """Take the frame in; the track of each face."""
        tracks = list(matches)
        loose = [i for i, track in enumerate(tracks) if track is None]
        for i, woken in zip(loose, self._wake([faces[i] for i in loose], self.missing(matches)), strict=True):
            tracks[i] = woken or Track(faces[i], time_s)
            if not any(tracks[i] is track for track in self.live):
                self.live.append(tracks[i])
        for face, track in zip(faces, tracks, strict=True):
            track.add(face, time_s)
        return tracks

    def end_shot(self, last_s: float) -> None:
        """All tracks end; new ones that were in view in the frame at `last_s` are kept."""
        for track in self.live:
            self._end(track, in_view=track.last_s >= last_s)
        self.live, self.last_place = [], None

    def _retire(self, time_s: float) -> None:
        for track in [track for track in self.live if time_s - track.last_s > LOST_S]:
            self.live.remove(track)
            self._end(track, in_view=False)

    def _end(self, track: Track, in_view: bool) -> None:
        if track.state == "new":
            track.state = "kept" if in_view else "dropped"
        if track.state == "kept":
            self._dormant.append(track)
            self.last_place = track.last.box

    @staticmethod
    def _cost(face: Sighting, track: Track, time_s: float) -> float:
        """Distance in face sizes + log of the size ratio + difference of looks; inf where it cannot be the same face."""
        expected, gap_s = Sighting(track.predicted(time_s)), time_s - track.last_s
        size = (face.size + expected.size) / 2
        distance = float(np.linalg.norm(face.centre - expected.centre)) / size
        growth = abs(np.log(face.size / expected.size))
        if distance > min(0.6 + 1.5 * gap_s, 2.0) or growth > min(0.5 + gap_s, 1.2):
            return np.inf
        looks = look_distance(face.look, track.look) if face.look is not None and track.look is not None else 0.0
        return distance + growth + looks

    def _wake(self, faces: Sequence[Sighting], lost: Sequence[Track]) -> list[Track | None]:
        """For each face the dormant (or lost and still live) track that it continues, or None."""
        pool = [track for track in (*self._dormant, *lost) if track.state == "kept" and track.look is not None]
        costs = np.array([[self._likeness(face, track) for track in pool] for face in faces])
        if costs.size:
            for row in costs:
                best, *others = np.sort(row)
                if best > WAKE or (others and others[0] - best < WAKE_MARGIN):
                    row[:] = np.inf
        woken = _assign(np.where(costs <= WAKE, costs, np.inf), pool, len(faces))
        for track in woken:
            if track is not None and any(track is sleeper for sleeper in self._dormant):
                self._dormant.remove(track)
        return woken

    @staticmethod
    def _likeness(face: Sighting, track: Track) -> float:
        if face.look is None or face.shape is None or track.shape is None:
            return np.inf
        shapes = float(np.sqrt(np.mean((face.shape - track.shape) ** 2)))
        return look_distance(face.look, track.look) + SHAPE_WEIGHT * shapes


def _assign(costs: np.ndarray, tracks: Sequence[Track], faces: int) -> list[Track | None]:
    """Cheapest one-to-one assignment, [faces, tracks]; pairs of infinite cost are never made."""
    chosen: list[Track | None] = [None] * faces
    if costs.size:
        for row, column in zip(*linear_sum_assignment(np.where(np.isfinite(costs), costs, 1e6)), strict=True):
            if np.isfinite(costs[row, column]):
                chosen[row] = tracks[column]
    return chosen
