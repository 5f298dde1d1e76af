"""Where the eyes point in the head: the iris in the eye opening, averaged with MediaPipe's eyeLook shapes."""

import numpy as np

from emoreason.labels.action_units import ACTION_UNITS, BLENDSHAPES
from emoreason.perception.geometry import frontal

# Subject's left, right: iris centre, inner eye corner, outer eye corner.
_POINTS = np.array((473, 468, 362, 133, 263, 33))
# Adult proportions: an eye opening 30 mm wide over an iris that turns 10.5 mm from the eye's centre.
_WIDTH_OVER_RADIUS = 30 / 10.5
# A level iris lies above the line through the eye corners; in eye widths, mean of CK+ neutral faces looking at the camera.
_LEVEL_IRIS = 0.073
# Degrees per unit of an eyeLook shape that make its yaw agree with the iris (regression on CK+, r = 0.96).
_DEGREES_PER_SHAPE = 35.0
_CLOSED = 0.6  # eyeBlink above which the iris is hidden, so that the mesh only invents one


def gaze(landmarks: np.ndarray, blendshapes: np.ndarray) -> np.ndarray:
    """Direction of the eyes relative to the head: [N, 478, 3] pixels, [N, 52] -> float32 [N, 2] degrees.

    Columns: yaw (+ to the subject's left), pitch (+ up). NaN where the mesh is NaN or both eyes are closed.
    """
    points = frontal(landmarks, _POINTS)  # [N, 6, 3]
    iris, inner, outer = points[:, 0:2], points[:, 2:4], points[:, 4:6]  # [N, 2 eyes, 3]
    width = np.linalg.norm(outer - inner, axis=-1, keepdims=True)
    shift = ((iris - (inner + outer) / 2) / np.maximum(width, 1e-6))[..., :2].mean(axis=1)  # [N, 2] eye widths
    shift[:, 1] -= _LEVEL_IRIS
    from_iris = np.degrees(np.arcsin(np.clip(shift * _WIDTH_OVER_RADIUS, -1, 1)))  # [N, 2]
    look = {au: blendshapes[:, _shapes(au)].mean(axis=1) for au in ("AU61", "AU62", "AU63", "AU64")}  # [N] each
    from_shapes = _DEGREES_PER_SHAPE * np.stack([look["AU61"] - look["AU62"], look["AU63"] - look["AU64"]], axis=1)
    direction = (from_iris + from_shapes) / 2
    direction[blendshapes[:, _shapes("AU43")].mean(axis=1) > _CLOSED] = np.nan
    return direction.astype(np.float32)


def _shapes(au: str) -> list[int]:
    return [BLENDSHAPES.index(shape) for shape in ACTION_UNITS[au].left + ACTION_UNITS[au].right]
