"""How bad may the picture get? The file's frames are spoilt, measured anew and judged anew; the sound stays as it is.

Sizes are relative to the face, so that a level means the same in a portrait and in a group. `yaw` turns the flat picture in
perspective: a real head would also show its other side, so read it as a lower bound of the harm.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from emoreason.evaluation.audits.trials import Change, Changed, Condition, Plan
from emoreason.evaluation.inputs import SampleInput, seen_anew
from emoreason.evaluation.tasks import EvalContext
from emoreason.inference.judges import Judge
from emoreason.media.clip import Frame
from emoreason.media.spoilt import SpoiltClip
from emoreason.perception.observation import Observation
from emoreason.perception.people import main_person
from emoreason.perception.segments import Segment

GREY = 128


@dataclass(frozen=True)
class Face:
    """Where the face is in a frame, pixels of that frame."""

    x: float
    y: float
    width: float
    height: float


Spoil = Callable[[np.ndarray, Face, Any], np.ndarray]  # uint8 [H, W, 3], its face, level


def plan(context: EvalContext, inputs: Sequence[SampleInput]) -> Plan:
    """Every kind of damage at every level, the same for all samples."""
    known = list(_levels())
    return Plan([condition for condition, _ in known], lambda one: known)


def _levels() -> Iterator[tuple[Condition, Change]]:
    for series, (unit, levels, spoil) in SERIES.items():
        for level in levels:
            title = f"{series.replace('_', ' ')}: {level} {unit}"
            yield Condition(f"{series}_{level}", title, series, str(level)), _spoilt(spoil, level)
    for fps in FRAME_RATES:
        yield Condition(f"frame_rate_{fps}", f"{fps} frames a second", "frame_rate", str(fps)), _slower(fps)


def _spoilt(spoil: Spoil, level: Any) -> Change:
    def changed(judge: Judge, original: SampleInput) -> Changed:
        if not original.clip.has_video:
            return None
        clip = SpoiltClip(original.clip.path, lambda frame: spoil(frame.image, face_at(original.observation, frame), level))
        return judge, replace(original, observation=seen_anew(judge, original.record, original.observation, clip), clip=clip)

    return changed


def _slower(fps: float) -> Change:
    """Where the file has more frames than that."""

    def changed(judge: Judge, original: SampleInput) -> Changed:
        if original.clip.kind != "video" or (original.observation.source.fps or 0) <= fps:
            return None
        seen = seen_anew(judge, original.record, original.observation, original.clip, fps=fps)
        return judge, replace(original, observation=seen)

    return changed


def face_at(observation: Observation, frame: Frame) -> Face:
    """The main person's box at the nearest measured moment; the whole picture where nobody was found."""
    person = main_person(observation, Segment(0.0, observation.source.duration_s))
    height, width = frame.image.shape[:2]
    if person is None:
        return Face(0.0, 0.0, width, height)
    box = person.boxes[np.abs(person.times_s - frame.time_s).argmin()] * frame.scale
    return Face(*map(float, box))


# what can happen to a picture


def fewer_pixels(image: np.ndarray, face: Face, across: float) -> np.ndarray:
    """So small that the face is `across` pixels wide, then enlarged again; a smaller face stays as it is."""
    share = across / max(face.width, 1.0)
    if share >= 1:
        return image
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def blurred(image: np.ndarray, face: Face, share: float) -> np.ndarray:
    """Gaussian; its deviation is `share` per cent of the face's width."""
    return cv2.GaussianBlur(image, (0, 0), max(share / 100 * face.width, 1e-3))


def noisy(image: np.ndarray, face: Face, deviation: float) -> np.ndarray:
    """Gaussian noise of `deviation` grey levels, drawn by the picture's own content: every run gets the same."""
    rng = np.random.default_rng(crc32(np.ascontiguousarray(image).data))
    return np.clip(image + rng.normal(0.0, deviation, image.shape), 0, 255).round().astype(np.uint8)


def darkened(image: np.ndarray, face: Face, share: float) -> np.ndarray:
    """`share` per cent of the light is left, in eight bits."""
    return (image * (share / 100)).round().astype(np.uint8)


def compressed(image: np.ndarray, face: Face, quality: int) -> np.ndarray:
    """JPEG and back."""
    _, coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1]


def half_covered(image: np.ndarray, face: Face, half: str) -> np.ndarray:
    """A grey patch over one half of the face; left and right are those of the picture."""
    x0, x1, y0, y1 = face.x, face.x + face.width, face.y, face.y + face.height
    middle_x, middle_y = (x0 + x1) / 2, (y0 + y1) / 2
    x0, x1 = (x0, middle_x) if half == "left" else (middle_x, x1) if half == "right" else (x0, x1)
    y0, y1 = (y0, middle_y) if half == "upper" else (middle_y, y1) if half == "lower" else (y0, y1)
    out = image.copy()
    out[max(round(y0), 0) : max(round(y1), 0), max(round(x0), 0) : max(round(x1), 0)] = GREY
    return out


def turned(image: np.ndarray, face: Face, degrees: float) -> np.ndarray:
    """The flat picture turned about the vertical axis through the face, seen from two face widths away."""
    centre = np.array([face.x + face.width / 2, face.y + face.height / 2])
    away, angle = 2 * max(face.width, 1.0), np.radians(degrees)
    height, width = image.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    near = centre + np.array([[-face.width, -face.height], [face.width, -face.height], [face.width, face.height],
                              [-face.width, face.height]]) if face.width * 4 < width else corners  # fmt: skip
    flat = near - centre
    depth = away + flat[:, 0] * np.sin(angle)
    seen = np.stack([flat[:, 0] * np.cos(angle), flat[:, 1]], axis=1) * (away / depth)[:, None] + centre
    matrix = cv2.getPerspectiveTransform(near.astype(np.float32), seen.astype(np.float32))
    return cv2.warpPerspective(image, matrix, (width, height), borderValue=(GREY,) * 3)


# series -> unit, levels from mild to severe, what is done
SERIES: dict[str, tuple[str, tuple[Any, ...], Spoil]] = {
    "resolution": ("pixels across the face", (32, 24, 16, 10), fewer_pixels),
    "blur": ("% of the face's width", (2, 4, 8), blurred),
    "noise": ("grey levels", (10, 25, 50), noisy),
    "dark": ("% of the light", (50, 20, 5), darkened),
    "compression": ("JPEG quality", (40, 15, 5), compressed),
    "half_covered": ("half", ("upper", "lower", "left", "right"), half_covered),
    "yaw": ("degrees, flat", (15, 30, 45), turned),
}
FRAME_RATES = (6, 3, 1)
