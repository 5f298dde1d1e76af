import numpy as np
import pytest
from face_pictures import sample_frame

from emoreason.labels.action_units import BLENDSHAPES
from emoreason.perception.landmarker import Landmarker
from emoreason.perception.pose import head_pose


def turned(pitch: float, yaw: float, roll: float, scale: float = 1.0) -> np.ndarray:
    """[4, 4] from angles in degrees, by the definition in head_pose."""
    a, b, c = np.radians([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = scale * about_y @ about_x @ about_z
    return matrix


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, 35, 0), (0, 0, -25), (-15, -40, 30), (50, 60, -70)])
def test_angles_come_back_whatever_the_scale(angles):
    np.testing.assert_allclose(head_pose(turned(*angles, scale=1.7)), angles, atol=1e-4)


def test_batches():
    stack = np.stack([turned(5, 10, 15), turned(-5, 20, 0)])
    np.testing.assert_allclose(head_pose(stack), [[5, 10, 15], [-5, 20, 0]], atol=1e-4)


def test_signs_on_a_real_face():
    """Frame at 19.6 s: the crown leans to the right of the picture, the subject's own left; the nose points away from it."""
    image = sample_frame(19.6)
    with Landmarker() as landmarker:
        meshes, mirrored = landmarker(image), landmarker(np.ascontiguousarray(image[:, ::-1]))
    (pitch, yaw, roll), other = head_pose(meshes.transforms[0]), head_pose(mirrored.transforms[0])
    crown, chin, nose = meshes.landmarks[0, [10, 152, 1], 0]
    assert roll > 10 and crown > chin
    assert yaw < -10 and nose < meshes.landmarks[0, [33, 263], 0].mean()
    np.testing.assert_allclose([other[0], -other[1], -other[2]], [pitch, yaw, roll], atol=5)


def test_mirroring_swaps_the_sides_of_the_shapes():
    image = sample_frame(19.6)
    with Landmarker() as landmarker:
        plain, mirrored = (landmarker(np.ascontiguousarray(picture)).blendshapes[0] for picture in (image, image[:, ::-1]))
    swap = {name: name.replace("Left", "\0").replace("Right", "Left").replace("\0", "Right") for name in BLENDSHAPES}
    order = [BLENDSHAPES.index(swap[name]) for name in BLENDSHAPES]
    assert np.abs(mirrored[order] - plain).mean() < 0.05
    assert np.abs(mirrored[order] - plain).mean() < np.abs(mirrored - plain).mean()
