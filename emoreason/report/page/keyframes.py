"""The pictures of the page: a few frames at the strongest moments, cut from the file again, with boxes around the faces."""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from emoreason.errors import EmoReasonError
from emoreason.labels.action_units import ACTIVE
from emoreason.media import Clip, Frame
from emoreason.perception.observation import Observation, Person
from emoreason.perception.regions import regions

MOST = 6
MAX_SIDE = 400  # px of the longer side
QUALITY = 80  # JPEG
_APART_S = 0.2  # at least, between two of them
_WEIGHTS = {"high": 1.0, "medium": 0.7, "low": 0.3}  # of a unit's peak when moments compete
# Where each unit is seen; of paired regions, the side that is stronger. Directions of gaze are no region.
_SEEN_AT = {
    **dict.fromkeys(("AU01", "AU02", "AU04"), "brow"),
    **dict.fromkeys(("AU05", "AU06", "AU07", "AU43", "AU45"), "eye"),
    "AU09": "nose_cheeks",
    **dict.fromkeys(("AU17", "AU26", "AU27"), "chin_jaw"),
    **dict.fromkeys(("AU10", "AU12", "AU14", "AU15", "AU18", "AU20", "AU23", "AU24", "AU25", "AU28"), "mouth"),
}
_LEFT, _RIGHT = 0, 1  # of an intensity's last axis: the subject's own sides


@dataclass(frozen=True)
class Box:
    """In pixels of the picture."""

    person: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Shape:
    """A region of a face where units are active: its outline in pixels of the picture, and how strongly, 0..1."""

    points: str  # "x,y x,y ..."
    label: str
    strength: float


@dataclass(frozen=True)
class KeyFrame:
    """A frame shown on the page, with the faces marked on it."""

    time_s: float
    jpeg: str  # base64
    width: int
    height: int
    boxes: tuple[Box, ...]
    shapes: tuple[Shape, ...]
    units: tuple[str, ...]  # what is active, strongest first: "p1 AU12 0.86"


def key_frames(observation: Observation) -> list[KeyFrame]:
    """In order of time, at most MOST; none without a face. Raises EmoReasonError or OSError where the file cannot be read."""
    moments = sorted(moments_of(observation))
    if not moments:
        return []
    return [_key_frame(frame, observation) for frame in Clip(observation.source.path).frames(moments, max_side=MAX_SIDE)]


def try_key_frames(observation: Observation) -> tuple[list[KeyFrame], str | None]:
    """The pictures, or the reason why there are none: a page is worth having after its clip was moved away."""
    try:
        return key_frames(observation), None
    except (EmoReasonError, OSError) as error:
        return [], str(error)


def moments_of(observation: Observation) -> list[float]:
    """Seconds of the strongest apexes, weighted by reliability, apart from each other; else the best view of each person."""
    apexes = sorted(
        (-event.peak * _WEIGHTS[person.action_units.reliability[au]], event.apex_s)
        for person in observation.people
        for au, events in person.action_units.events.items()
        for event in events
    )
    apart = max(observation.source.duration_s / (2 * MOST), _APART_S)
    chosen: list[float] = []
    for _, time in [*apexes, *((0.0, _best_view(person)) for person in observation.people)]:
        if len(chosen) < MOST and all(abs(time - other) >= apart for other in chosen):
            chosen.append(time)
    return chosen


def _best_view(person: Person) -> float:
    return float(person.times_s[int(np.argmax(person.quality[:, 3]))])


def _key_frame(frame: Frame, observation: Observation) -> KeyFrame:
    from PIL import Image

    height, width = frame.image.shape[:2]
    buffer = io.BytesIO()
    Image.fromarray(frame.image).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    boxes, shapes, units = [], [], []
    for person, at in _in_view(observation, frame.time_s):
        x, y, w, h = (float(v) * frame.scale for v in person.boxes[at])
        boxes.append(Box(person.person, x, y, w, h))
        series = person.action_units
        strength = np.nan_to_num(series.intensity[at].max(axis=-1))  # [A]
        shapes += _shapes(person, at, frame.scale)
        units += [(strength[k], f"{person.person} {series.aus[k]} {strength[k]:.2f}") for k in np.flatnonzero(strength >= ACTIVE)]
    text = tuple(label for _, label in sorted(units, key=lambda unit: -unit[0])[:4])
    return KeyFrame(frame.time_s, base64.b64encode(buffer.getvalue()).decode(), width, height, tuple(boxes), tuple(shapes), text)


def _shapes(person: Person, at: int, scale: float) -> list[Shape]:
    """Outlines of the regions in which something is active; none without a mesh."""
    series = person.action_units
    active: dict[str, list[tuple[float, str]]] = {}
    for k, au in enumerate(series.aus):
        sides = np.nan_to_num(series.intensity[at, k])  # [2]
        place = _SEEN_AT.get(au)
        if place is None or sides.max() < ACTIVE:
            continue
        paired = place in ("brow", "eye")
        for side, name in ((_LEFT, "left"), (_RIGHT, "right")) if paired else ((int(sides.argmax()), ""),):
            if sides[side] >= ACTIVE:
                active.setdefault(f"{name}_{place}" if paired else place, []).append((float(sides[side]), au))
    if not active:
        return []
    mesh = person.landmarks([at])[0, :, :2] * scale  # [478, 2]
    if not np.isfinite(mesh).all() or not mesh.any():
        return []
    shapes = []
    for region, units in active.items():
        hull = cv2.convexHull(mesh[list(regions()[region])].astype(np.float32))[:, 0]
        shown = ", ".join(f"{au} {value:.2f}" for value, au in sorted(units)[::-1])
        label = f"{person.person} {region.replace('_', ' ')}: {shown}"
        shapes.append(Shape(" ".join(f"{x:.1f},{y:.1f}" for x, y in hull), label, max(units)[0]))
    return shapes


def _in_view(observation: Observation, time_s: float) -> Iterator[tuple[Person, int]]:
    """(person, row of the track) for everybody seen within one sampling step of `time_s`."""
    steps = np.diff(observation.sample_times_s)
    reach = 1.01 * float(np.median(steps)) if len(steps) else np.inf
    for person in observation.people:
        at = int(np.argmin(np.abs(person.times_s - time_s)))
        if abs(person.times_s[at] - time_s) <= reach:
            yield person, at
