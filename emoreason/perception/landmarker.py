"""MediaPipe's face networks as functions from a picture to arrays: meshes (FaceLandmarker) and boxes (its detector alone)."""

import os
import re
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from emoreason import assets
from emoreason.errors import AssetError

# Chatter of the C++ layers when tasks start and end (glog, TensorFlow Lite, LiteRT), written straight to file descriptor 2.
# No switch of mediapipe 1.2 turns it off (GLOG_minloglevel, TF_CPP_MIN_LOG_LEVEL and ABSL_MIN_LOG_LEVEL change nothing).
_CHATTER = re.compile(rb"^(WARNING: Logging before InitGoogle|INFO: |[IW]\d{4} \d\d:\d\d:)")
# This warning comes once a process, with the first picture whose copy happens to lie badly in memory: often the very first.
_UNALIGNED = b"Input tensor memory is not aligned"
_unaligned_told = threading.Event()
_stderr_lock = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what is written to file descriptor 2 meanwhile, then pass on every line that is not known chatter."""
    with _stderr_lock, tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        try:
            saved = os.dup(2)
        except OSError:  # no standard error at all, e.g. under a windowed interpreter: nothing to keep clean
            saved = None
        if saved is None:
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)
                elif _UNALIGNED in line:
                    _unaligned_told.set()


def _quiet_until(talked: bool) -> AbstractContextManager[None]:
    """`quiet`, until a network (`talked`) and the process have said all that is known to come."""
    return nullcontext() if talked and _unaligned_told.is_set() else quiet()


@dataclass(frozen=True)
class Meshes:
    """n faces of one picture. Pixels of the picture given; z grows away from the camera, in the same scale as x."""

    landmarks: np.ndarray  # [n, 478, 3] float32
    blendshapes: np.ndarray  # [n, 52] float32
    transforms: np.ndarray  # [n, 4, 4] float32, canonical face -> camera (x right, y up, z towards the viewer), cm

    def __len__(self) -> int:
        return len(self.landmarks)

    def __getitem__(self, which: slice | Sequence[int]) -> "Meshes":
        which = which if isinstance(which, slice) else np.asarray(which, np.int64)
        return Meshes(self.landmarks[which], self.blendshapes[which], self.transforms[which])

    @classmethod
    def none(cls) -> "Meshes":
        return cls(np.zeros((0, 478, 3), np.float32), np.zeros((0, 52), np.float32), np.zeros((0, 4, 4), np.float32))

    @classmethod
    def join(cls, parts: Sequence["Meshes"]) -> "Meshes":
        if not parts:
            return cls.none()
        fields = ("landmarks", "blendshapes", "transforms")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _bundle() -> Path:
    return assets.path("face-landmarker") / "face_landmarker_v2.task"


@lru_cache(maxsize=4)
def _model(path: Path, member: str | None) -> bytes:
    """The bundle's bytes, or one file of it (the bundle is a zip). Buffers, not paths: paths need not be ASCII then."""
    try:
        if member is None:
            return path.read_bytes()
        with zipfile.ZipFile(path) as bundle:
            return bundle.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise AssetError(f"asset 'face-landmarker' at {path} cannot be read ({error}): run `emoreason assets pull`") from error


def _picture(image: np.ndarray):
    from mediapipe import Image, ImageFormat

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected an RGB picture, uint8 [H, W, 3]; got {image.dtype} {list(image.shape)}")
    return Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(image))


class Landmarker:
    """FaceLandmarker as `landmarker(image)`; with `video=True` as `landmarker(image, time_s)`, following faces over time.

    One instance per shot: it carries state in video mode. Making one costs about 20 ms. MediaPipe smooths the mesh over
    time only in video mode with `faces=1`, and runs its detector on every frame while fewer than `faces` are followed.
    """

    def __init__(self, faces: int = 1, *, video: bool = False, confidence: float = 0.5, presence: float = 0.5) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=_model(_bundle(), None)),
            running_mode=vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE,
            num_faces=faces,
            min_face_detection_confidence=confidence,
            min_face_presence_confidence=presence,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        self.faces, self._video, self._last_ms, self._talked = faces, video, -1, False
        with quiet():
            self._task = vision.FaceLandmarker.create_from_options(options)

    def __call__(self, image: np.ndarray, time_s: float = 0.0) -> Meshes:
        """image: uint8 RGB [H, W, 3]."""
        with _quiet_until(self._talked):  # some chatter comes with the first face only
            result = self._detect(_picture(image), time_s)
        self._talked |= bool(result.face_landmarks)
        # A mesh without its shapes or matrix (the geometry solver can fail on degenerate meshes) is of no use here.
        n = min(len(result.face_landmarks), len(result.face_blendshapes), len(result.facial_transformation_matrixes))
        height, width = image.shape[:2]
        points = [[(p.x, p.y, p.z) for p in face] for face in result.face_landmarks[:n]]
        shapes = [[category.score for category in face] for face in result.face_blendshapes[:n]]
        return Meshes(
            np.array(points, np.float32).reshape(n, 478, 3) * np.array([width, height, width], np.float32),
            np.array(shapes, np.float32).reshape(n, 52),
            np.array(result.facial_transformation_matrixes[:n], np.float32).reshape(n, 4, 4),
        )

    def _detect(self, picture, time_s: float):
        if not self._video:
            return self._task.detect(picture)
        self._last_ms = max(self._last_ms + 1, round(time_s * 1000))  # MediaPipe wants strictly increasing milliseconds
        return self._task.detect_for_video(picture, self._last_ms)

    def close(self) -> None:
        self._task.close()

    def __enter__(self) -> "Landmarker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_kept: dict[tuple[int, float, float], Landmarker] | None = None  # of this process, while `landmarkers_kept`


@contextmanager
def landmarkers_kept() -> Iterator[None]:
    """Meanwhile landmarkers for stills are made once and used again: they have no memory, and making one takes longer than a
    small face crop does (FER+: 76 ms of CPU time a face without, 32 ms with)."""
    global _kept
    if _kept is not None:
        yield
        return
    _kept = {}
    try:
        yield
    finally:
        kept, _kept = _kept, None
        for landmarker in kept.values():
            landmarker.close()


def still_landmarker(faces: int = 1, confidence: float = 0.5, presence: float = 0.5) -> Landmarker:
    """A landmarker for single pictures, new or kept. To be ended with `let_go`."""
    if _kept is None:
        return Landmarker(faces, confidence=confidence, presence=presence)
    key = (faces, confidence, presence)
    if key not in _kept:
        _kept[key] = Landmarker(faces, confidence=confidence, presence=presence)
    return _kept[key]


def let_go(network) -> None:
    """Close a network, unless it is being kept."""
    if network not in (_kept or {}).values():
        network.close()


class BoxDetector:
    """The bundle's face detector alone: cheaper than a mesh, several faces, boxes only."""

    def __init__(self, confidence: float = 0.5) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        base = BaseOptions(model_asset_buffer=_model(_bundle(), "face_detector.tflite"))
        options = vision.FaceDetectorOptions(base_options=base, min_detection_confidence=confidence)
        with quiet():
            self._task = vision.FaceDetector.create_from_options(options)
            self._task.detect(_picture(np.zeros((128, 128, 3), np.uint8)))  # its own last line comes with the first picture

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """image: uint8 RGB [H, W, 3] -> [n, 5]: x, y, width, height in pixels, score; best first."""
        picture = _picture(image)
        with _quiet_until(True):
            detections = self._task.detect(picture).detections
        found = [
            (box.origin_x, box.origin_y, box.width, box.height, detection.categories[0].score)
            for detection in detections
            for box in (detection.bounding_box,)
        ]
        return np.array(sorted(found, key=lambda row: -row[4]), np.float32).reshape(-1, 5)

    def close(self) -> None:
        with quiet():
            self._task.close()
