"""Rows of the face table: from meshes to columns, held back until it is known who is a person."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from emoreason.perception.landmarker import Meshes
from emoreason.perception.observation import FOUND
from emoreason.perception.pose import head_pose
from emoreason.perception.quality import face_quality, picture_quality
from emoreason.perception.second_look import mesh_boxes
from emoreason.perception.tracks import Track

Rows = dict[str, np.ndarray]  # columns of FACE_COLUMNS without `geometry` and `gaze`, n rows each
WHOLE, LOOP, SECOND = (FOUND.index(name) for name in ("whole_picture", "loop", "second_pass"))
SMALL_PX = 24.0  # outer eye corners closer than this: fine movements cannot be seen


def mesh_rows(image: np.ndarray, scale: float, meshes: Meshes, found: Sequence[int]) -> Rows:
    """n faces of one frame. `image` and the meshes share pixels, `scale` of them per original pixel."""
    boxes, poses = mesh_boxes(meshes.landmarks), head_pose(meshes.transforms)
    relative = meshes.landmarks.copy()
    relative[..., :2] = (relative[..., :2] - boxes[:, None, :2]) / boxes[:, None, 2:]
    relative[..., 2] /= boxes[:, None, 2]
    quality = [face_quality(image, points, pose[1], scale) for points, pose in zip(meshes.landmarks, poses, strict=True)]
    return {
        "found": np.array(found, np.uint8),
        "box": (boxes / scale).astype(np.float32),
        "landmarks": relative.astype(np.float16),
        "blendshapes": meshes.blendshapes,
        "pose": poses,
        "quality": np.array(quality, np.float32).reshape(-1, 4),
    }


def whole_picture_row(image: np.ndarray, scale: float) -> Rows:
    """The picture itself taken for the face: nothing was measured on it but sharpness and brightness."""
    return {
        "found": np.array([WHOLE], np.uint8),
        "box": np.array([[0, 0, image.shape[1] / scale, image.shape[0] / scale]], np.float32),
        "landmarks": np.full((1, 478, 3), np.nan, np.float16),
        "blendshapes": np.full((1, 52), np.nan, np.float32),
        "pose": np.full((1, 3), np.nan, np.float32),
        "quality": picture_quality(image)[None],
    }


@dataclass
class Counts:
    """What has been handed on so far."""

    rows: int = 0
    frames: int = 0  # with at least one face
    small: int = 0
    second: int = 0
    whole: int = 0


class Ledger:
    """Passes rows on in time order once each of their tracks is decided, with persons numbered in order of appearance."""

    def __init__(self, sink: Callable[[Rows], None]) -> None:
        self.counts = Counts()
        self._sink = sink
        self._waiting: deque[tuple[int, Future[Rows], list[Track]]] = deque()
        self._persons = 0

    def add(self, sample: int, rows: "Future[Rows]", tracks: list[Track]) -> None:
        """`tracks` of the rows, in their order. The rows may still be in the making: other faces are sought meanwhile."""
        self._waiting.append((sample, rows, tracks))
        self.release()

    def release(self, wait: bool = False) -> None:
        """Pass on what can be; with `wait` also what is still in the making."""
        while self._waiting and all(track.state != "new" for track in self._waiting[0][2]):
            if not (wait or self._waiting[0][1].done()):
                return
            sample, made, tracks = self._waiting.popleft()
            rows = made.result()
            kept = [i for i, track in enumerate(tracks) if track.state == "kept"]
            if kept:
                ids = np.array([self._number(tracks[i]) for i in kept], np.int32)
                samples = np.full(len(kept), sample, np.int32)
                self._pass_on({"sample": samples, "face_id": ids} | {name: column[kept] for name, column in rows.items()})

    def _number(self, track: Track) -> int:
        if track.face_id is None:
            self._persons += 1
            track.face_id = self._persons
        return track.face_id

    def _pass_on(self, rows: Rows) -> None:
        counts, n = self.counts, len(rows["sample"])
        counts.rows, counts.frames = counts.rows + n, counts.frames + 1
        counts.small += int((rows["quality"][:, 0] < SMALL_PX).sum())
        counts.second += int((rows["found"] == SECOND).sum())
        counts.whole += int((rows["found"] == WHOLE).sum())
        self._sink(rows)
