import numpy as np
import pytest
from face_pictures import face, sample_frame, scene

from emoreason.perception.landmarker import Landmarker, Meshes
from emoreason.perception.pose import head_pose
from emoreason.perception.second_look import SecondLook, back, mesh_boxes, overlap, tiles, view, view_matrix


@pytest.fixture
def closer():
    sample_frame()
    second = SecondLook()
    yield second
    second.close()


def test_overlap():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [50, 50, 1, 1]], float)
    np.testing.assert_allclose(overlap(boxes[:1], boxes), [[1, 1 / 3, 0]])


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (100, 100), (1280, 300)])
def test_tiles_cover_the_frame(size):
    seen = np.zeros(size[::-1], bool)
    for x, y, side in tiles(np.zeros((*size[::-1], 3), np.uint8)):
        seen[y : y + side, x : x + side] = True
        assert x + side <= size[0] and y + side <= size[1]
    assert seen.all()


@pytest.mark.parametrize("turn", [0, 25, -25])
def test_what_a_view_shows_comes_back_in_place(turn):
    """Mesh and head pose of a turned, enlarged view agree with those of the frame."""
    image = sample_frame()
    with Landmarker() as landmarker:
        plain = landmarker(image)
        matrix = view_matrix(mesh_boxes(plain.landmarks)[0], 0.5, turn)
        there = landmarker(view(image, matrix))
    again = back(there, matrix)
    width = mesh_boxes(plain.landmarks)[0, 2]
    assert np.abs(again.landmarks - plain.landmarks)[..., :2].mean() < 0.03 * width
    assert np.abs(head_pose(again.transforms) - head_pose(plain.transforms)).max() < 8
    if turn:
        assert abs(head_pose(there.transforms)[0, 2] - head_pose(plain.transforms)[0, 2]) > 15


def test_a_small_face_is_found_in_a_large_frame(closer):
    image = scene((900, 420, face(75)), size=(1280, 720))
    with Landmarker() as landmarker:
        assert len(landmarker(image)) == 0  # else this shows nothing
    meshes = closer.anywhere(image, most=4)
    assert len(meshes) == 1
    x, y, width, height = mesh_boxes(meshes.landmarks)[0]
    assert 900 < x < x + width < 975 and 420 < y < y + height < 495
    assert len(closer.near(image, np.array([905, 425, 50, 60], np.float32))) == 1


def test_near_wants_the_face_where_it_was(closer):
    image = scene((300, 40, face(280)))
    assert len(closer.near(image, np.array([20, 20, 60, 60], np.float32))) == 0


@pytest.mark.parametrize("vouched", [True, False])
def test_a_tight_tiny_crop_is_found(closer, vouched):
    crop = face(96)[22:76, 20:74]
    meshes = closer.crop(crop, vouched)
    assert len(meshes) == 1 and (mesh_boxes(meshes.landmarks)[0, 2:] > 20).all()


def test_no_face_is_invented(closer):
    rng = np.random.default_rng(0)
    for _ in range(4):
        noise = rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)
        assert len(closer.anywhere(noise, 4)) == len(closer.crop(noise, vouched=False)) == 0


def test_the_mirror_confirms_a_face_and_refuses_a_mesh_without_one(closer):
    image = sample_frame()
    with Landmarker() as landmarker:
        meshes = landmarker(image)
    moved = Meshes(meshes.landmarks - np.array([320, 0, 0], np.float32), meshes.blendshapes, meshes.transforms)
    assert len(closer.confirmed(image, meshes)) == 1
    assert len(closer.confirmed(image, moved)) == 0  # the wooden wall beside her
