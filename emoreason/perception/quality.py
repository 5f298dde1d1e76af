"""How well a face can be measured: size, sharpness, brightness and their combination."""

import cv2
import numpy as np

from emoreason.perception.regions import LEFT_EYE_OUTER, RIGHT_EYE_OUTER, aligned_crop

SHARP = 0.05  # see face_quality
_SIDE = 64  # sharpness is judged at one size, so that it is a property of the picture and not of the distance
SIZE_FULL_PX = 48.0  # outer eye corners this far apart: the mesh network's 256 px input needs little enlarging
YAW_FREE_DEG, YAW_GONE_DEG = 30.0, 80.0  # one side of the face turns away between these
DARK, DIM = 0.04, 0.2  # brightness at which nothing / everything can be told


def eye_distance(landmarks: np.ndarray) -> float:
    """Distance of the outer eye corners, pixels. In 3-D, so that turning the head does not look like walking away."""
    return float(np.linalg.norm(landmarks[LEFT_EYE_OUTER] - landmarks[RIGHT_EYE_OUTER]))


def face_quality(image: np.ndarray, landmarks: np.ndarray, yaw_deg: float, scale: float = 1.0) -> np.ndarray:
    """[4] float32: size in original pixels, sharpness, brightness and overall, the last three 0..1.

    image: uint8 RGB [H, W, 3]; landmarks: [478, 3] in its pixels; scale: its pixels per original pixel.

    - sharpness: variance of the Laplacian over the variance of the grey values (so that contrast and exposure cancel) of the
      aligned face at 64 px, v, as v / (v + 0.05). Measured on 21 faces of 11 clips: v is 0.10-0.47 as filmed, 0.015-0.06
      after a blur of 3 % of the eye distance, 0.03-0.15 after shrinking to an eye distance of 24 px.
    - brightness: mean luma of the same crop.
    - overall: the product of four factors, each 1 where the measurement no longer depends on it: size up to 48 px, sharpness
      up to 0.5, brightness between 0.04 and 0.2, yaw from 30 to 80 degrees. A product, because one bad factor is enough.
    """
    sharpness, brightness = _sharpness_brightness(aligned_crop(image, landmarks, _SIDE, margin=0.0))
    size = eye_distance(landmarks) / scale
    turned = float(np.clip((YAW_GONE_DEG - abs(yaw_deg)) / (YAW_GONE_DEG - YAW_FREE_DEG), 0, 1))
    overall = min(size / SIZE_FULL_PX, 1.0) * turned * _light_and_focus(sharpness, brightness)
    return np.array([size, sharpness, brightness, overall], np.float32)


def picture_quality(image: np.ndarray) -> np.ndarray:
    """The same for a picture taken whole as a face: size unknown (NaN), overall halved because nothing confirmed a face."""
    sharpness, brightness = _sharpness_brightness(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    return np.array([np.nan, sharpness, brightness, 0.5 * _light_and_focus(sharpness, brightness)], np.float32)


def _sharpness_brightness(crop: np.ndarray) -> tuple[float, float]:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = float(cv2.Laplacian(grey, cv2.CV_32F).var()) / (float(grey.var()) + 4.0)  # + 4: grey noise of 2 is no picture
    return edges / (edges + SHARP), float(grey.mean()) / 255


def _light_and_focus(sharpness: float, brightness: float) -> float:
    return min(sharpness / 0.5, 1.0) * float(np.clip((brightness - DARK) / (DIM - DARK), 0, 1))
