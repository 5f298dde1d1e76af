import numpy as np
import pytest

from emoreason.labels.action_units import BLENDSHAPES
from emoreason.perception.gaze import gaze
from emoreason.perception.geometry import RIGID, TEMPLATE

SHAPE = {name: index for index, name in enumerate(BLENDSHAPES)}


def face(iris_x: float = 0.0, iris_y: float = 0.0, **shapes: float) -> tuple[np.ndarray, np.ndarray]:
    """A frontal mesh of 200 pixels between the outer eye corners; iris moved by pixels (right and down in the picture)."""
    points = np.full((1, 478, 3), 180.0, np.float32)
    points[:, RIGID] = TEMPLATE * (200, -200, -200) + (320, 180, 0)
    for iris, corners in ((473, (362, 263)), (468, (133, 33))):
        points[:, iris] = points[:, corners].mean(axis=1)
        points[:, iris] += np.float32((iris_x, iris_y - 0.073 * np.linalg.norm(points[0, corners[0]] - points[0, corners[1]]), 0))
    blendshapes = np.zeros((1, 52), np.float32)
    for name, value in shapes.items():
        blendshapes[0, SHAPE[name]] = value
    return points, blendshapes


def test_level_eyes_look_straight_ahead():
    np.testing.assert_allclose(gaze(*face()), 0, atol=0.5)


@pytest.mark.parametrize(
    "moved, axis, sign",
    [
        (dict(iris_x=6), 0, 1),  # right in the picture is the subject's left
        (dict(iris_x=-6), 0, -1),
        (dict(iris_y=-4), 1, 1),
        (dict(iris_y=4), 1, -1),
        (dict(eyeLookOutLeft=0.6, eyeLookInRight=0.6), 0, 1),
        (dict(eyeLookInLeft=0.6, eyeLookOutRight=0.6), 0, -1),
        (dict(eyeLookUpLeft=0.6, eyeLookUpRight=0.6), 1, 1),
        (dict(eyeLookDownLeft=0.6, eyeLookDownRight=0.6), 1, -1),
    ],
)
def test_signs_are_the_subjects_own(moved, axis, sign):
    direction = gaze(*face(**moved))[0]
    assert direction[axis] * sign > 3
    assert abs(direction[1 - axis]) < 1


def test_closed_eyes_and_unknown_meshes_have_no_gaze():
    assert np.isnan(gaze(*face(eyeBlinkLeft=0.9, eyeBlinkRight=0.9))).all()
    points, blendshapes = face()
    assert np.isnan(gaze(np.full_like(points, np.nan), blendshapes)).all()


def test_one_closed_eye_does_not_hide_the_gaze():
    assert np.isfinite(gaze(*face(eyeBlinkLeft=0.9))).all()
