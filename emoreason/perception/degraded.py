"""Pictures of a bad camera, bad light or a covered face: five kinds of damage of one fixed strength, for validation and suites.

Sizes are relative to the aligned face crop, so that the damage means the same in a portrait and in a group. A degraded clip is
measured anew, so that the landmarks suffer, too. What training draws at random is another thing: training/face/damage.py.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Literal, get_args

import cv2
import numpy as np

from emoreason.media import Clip
from emoreason.media.clip import Frame
from emoreason.media.spoilt import SpoiltClip
from emoreason.perception.observation import FOUND, Observation, Person
from emoreason.perception.people import main_person
from emoreason.perception.regions import crop_matrix
from emoreason.perception.segments import Segment

Damage = Literal["blur", "dark", "small", "covered", "side"]
DAMAGES: tuple[Damage, ...] = get_args(Damage)

MARGIN = 0.1  # of the crop that sizes refer to
BLUR = 0.035  # deviation, in crop sides: 1.7 pixels of 48
LIGHT, NOISE = 0.2, 3.0  # share of the light that is left, and the deviation of what the sensor adds, in grey levels
SMALL = 24  # pixels across the crop
HIDDEN_BELOW = 0.56  # of the crop's height: mouth and chin, as under a mask
SHADE = 0.12  # of the light, on the dark side


def degraded(image: np.ndarray, matrix: np.ndarray, damage: Damage, key: int) -> np.ndarray:
    """A spoilt copy of a picture uint8 [H, W, 3].

    matrix [2, 3]: picture pixels -> crop units 0..1. key decides what chance would: which part is covered and with which grey,
    from which side the light comes, and the noise.
    """
    return _CHANGES[damage](image, matrix, np.random.default_rng(key), key)


def degraded_clip(clip: Clip, observation: Observation, damage: Damage) -> SpoiltClip:
    """The file with every frame degraded about its main person's face, as `observation` measured it. The key is of the file's
    content, so that every run gets the same pictures."""
    source = observation.source
    person = main_person(observation, Segment(0.0, source.duration_s))
    key = int(sha256(source.sha256.encode()).hexdigest()[:8], 16)

    def change(frame: Frame) -> np.ndarray:
        return degraded(frame.image, face_matrix(person, frame), damage, key)

    return SpoiltClip(clip.path, change)


def face_matrix(person: Person | None, frame: Frame) -> np.ndarray:
    """[2, 3] frame pixels -> crop units at the nearest measured moment: of the aligned crop; without landmarks of the box; of the
    whole picture where nobody was found."""
    height, width = frame.image.shape[:2]
    if person is None:
        return _of_box(np.array([0.0, 0.0, width, height]))
    at = int(np.abs(person.times_s - frame.time_s).argmin())
    if person.found[at] == FOUND.index("whole_picture"):
        return _of_box(person.boxes[at] * frame.scale)
    return crop_matrix(person.landmarks(np.array([at]))[0] * frame.scale, 1, MARGIN)


def _of_box(box: np.ndarray) -> np.ndarray:
    x, y, width, height = np.maximum(box, [-np.inf, -np.inf, 1.0, 1.0])
    return np.array([[1 / width, 0, -x / width], [0, 1 / height, -y / height]])


def _side_of(matrix: np.ndarray) -> float:
    """Picture pixels across the crop."""
    return 1 / float(np.hypot(matrix[0, 0], matrix[1, 0]))


def _crop_units(image: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every pixel in crop units, [H, W, 1] each."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    places = np.tensordot(matrix, np.stack([x, y, np.ones_like(x)]), axes=1)  # [2, H, W]
    return places[0][..., None], places[1][..., None]


def _grey_levels(image: np.ndarray) -> np.ndarray:
    return image.clip(0, 255).round().astype(np.uint8)


def _blurred(image: np.ndarray, matrix: np.ndarray, rng: np.random.Generator, key: int) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), BLUR * _side_of(matrix))


def _darkened(image: np.ndarray, matrix: np.ndarray, rng: np.random.Generator, key: int) -> np.ndarray:
    """Little light, in which shadows are lost, and a sensor's noise, the same in all channels."""
    noise = rng.normal(0, NOISE, (*image.shape[:2], 1))
    return _grey_levels(255 * LIGHT * (image / 255) ** 1.2 + noise)


def _small(image: np.ndarray, matrix: np.ndarray, rng: np.random.Generator, key: int) -> np.ndarray:
    """So far away that the crop is `SMALL` pixels across, then enlarged to the old size; a smaller face stays as it is."""
    share = SMALL / _side_of(matrix)
    if share >= 1:
        return image
    height, width = image.shape[:2]
    few = (max(round(width * share), 8), max(round(height * share), 8))
    return cv2.resize(cv2.resize(image, few, interpolation=cv2.INTER_AREA), (width, height), interpolation=cv2.INTER_LINEAR)


def _covered(image: np.ndarray, matrix: np.ndarray, rng: np.random.Generator, key: int) -> np.ndarray:
    """The lower, left or right part hidden behind something of one grey."""
    u, v = _crop_units(image, matrix)
    hidden = (v > HIDDEN_BELOW, u < 0.5, u > 0.5)[key % 3]
    grey = rng.uniform(60, 190) + rng.normal(0, 6, (*image.shape[:2], 1))
    return _grey_levels(np.where(hidden, grey, image))


def _side_lit(image: np.ndarray, matrix: np.ndarray, rng: np.random.Generator, key: int) -> np.ndarray:
    """Light from the left or the right; the other side is nearly dark, with a smooth edge across the face."""
    u, _ = _crop_units(image, matrix)
    ramp = (((u if key % 2 else 1 - u) - 0.15) / 0.7).clip(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return _grey_levels(image * (SHADE + ramp))


_CHANGES: dict[Damage, Callable[..., np.ndarray]] = {
    "blur": _blurred,
    "dark": _darkened,
    "small": _small,
    "covered": _covered,
    "side": _side_lit,
}
