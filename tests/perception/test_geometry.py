import numpy as np
import pytest

from emoreason.perception.geometry import MEASURES, RIGID, TEMPLATE, align, measure


def mesh(rows: int = 1, seed: int = 0) -> np.ndarray:
    """Faces in pixels: the canonical rigid points, every other point somewhere in the face."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((-0.7, -1.0, 0.0), (0.7, 0.9, 0.8), (rows, 478, 3))
    points[:, RIGID] = TEMPLATE
    return (points * (200, -200, -200) + (320, 180, 0)).astype(np.float32)


def turned(faces: np.ndarray, yaw: float, pitch: float, roll: float, scale: float = 1.0) -> np.ndarray:
    cos, sin = np.cos(np.radians((yaw, pitch, roll))), np.sin(np.radians((yaw, pitch, roll)))
    around_y = np.array([[cos[0], 0, sin[0]], [0, 1, 0], [-sin[0], 0, cos[0]]])
    around_x = np.array([[1, 0, 0], [0, cos[1], -sin[1]], [0, sin[1], cos[1]]])
    around_z = np.array([[cos[2], -sin[2], 0], [sin[2], cos[2], 0], [0, 0, 1]])
    return (scale * (faces - faces.mean(axis=1, keepdims=True)) @ (around_z @ around_x @ around_y).T + 100).astype(np.float32)


def test_measures_do_not_move_with_the_head():
    faces = mesh(5)
    for pose in ((30, 0, 0), (0, -25, 0), (0, 0, 80), (-40, 20, 10)):
        np.testing.assert_allclose(measure(turned(faces, *pose, scale=0.4)), measure(faces), atol=2e-4)


def test_alignment_recovers_pixels_per_unit_and_a_proper_rotation():
    rotation, scale = align(turned(mesh(3), 25, 10, -5))
    np.testing.assert_allclose(scale, 1 / 200, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.det(rotation), 1, atol=1e-6)


def test_a_mirrored_face_swaps_left_and_right():
    swaps = {33: 263, 133: 362, 127: 356, 234: 454, 162: 389, 21: 251, 54: 284, 103: 332, 67: 297, 109: 338}
    swaps |= {61: 291, 55: 285, 107: 336, 66: 296}
    right, left = list(swaps), list(swaps.values())
    faces = mesh()
    mirrored = faces * np.float32((-1, 1, 1))
    mirrored[:, right + left] = mirrored[:, left + right]
    before, after = measure(faces)[0], measure(mirrored)[0]
    for name in ("brow_inner_height", "brow_inner_offset"):
        on_left, on_right = MEASURES.index(f"{name}_left"), MEASURES.index(f"{name}_right")
        assert before[on_left] == pytest.approx(after[on_right], abs=1e-4)
        assert before[on_left] != pytest.approx(before[on_right], abs=1e-2)


@pytest.mark.parametrize(
    "points, shift, grows, shrinks",
    [
        ((285, 336, 296), (0, -10, 0), "brow_inner_height_left", None),
        ((55, 107, 66), (0, -10, 0), "brow_inner_height_right", None),
        ((291,), (0, -10, 0), "corner_height_left", None),
        ((291,), (10, 0, 0), "corner_offset_left", None),
        ((61,), (-10, 0, 0), "corner_offset_right", None),
        ((386, 385, 387), (0, 10, 0), None, "eye_opening_left"),
        ((152,), (0, 10, 0), "jaw_drop", None),
        ((17, 0), (0, 0, -10), "lower_lip_depth", None),
    ],
)
def test_each_measure_grows_in_its_stated_direction(points, shift, grows, shrinks):
    faces = mesh()
    moved = faces.copy()
    moved[:, list(points)] += np.float32(shift)
    change = (measure(moved) - measure(faces))[0]
    assert change[MEASURES.index(grows or shrinks)] * (1 if grows else -1) > 0.01
    other = "right" if (grows or shrinks).endswith("left") else "left"
    assert np.abs(change[[i for i, name in enumerate(MEASURES) if name.endswith(f"_{other}")]]).max() < 0.01


def test_unknown_landmarks_stay_unknown_and_leave_their_neighbours_alone():
    faces = mesh(3)
    faces[1] = np.nan
    out = measure(faces)
    assert out.shape == (3, len(MEASURES)) and out.dtype == np.float32
    assert np.isnan(out[1]).all() and np.isfinite(out[[0, 2]]).all()
    # Products of a batch of another size may round differently: values of order 1, in float32.
    np.testing.assert_allclose(out[[0, 2]], measure(faces[[0, 2]]), rtol=1e-5, atol=1e-5)


def test_a_mesh_without_extent_is_unknown():
    assert np.isnan(measure(np.zeros((1, 478, 3), np.float32))).all()


def test_no_rows_and_wrong_shapes():
    assert measure(np.zeros((0, 478, 3), np.float32)).shape == (0, len(MEASURES))
    with pytest.raises(ValueError, match=r"\[N, 478, 3\], got \[2, 468, 3\]"):
        measure(np.zeros((2, 468, 3), np.float32))
