import numpy as np
from face_pictures import sample_frame

from emoreason.perception.landmarker import Landmarker
from emoreason.perception.regions import (
    LEFT_IRIS,
    RIGHT_IRIS,
    aligned_crop,
    aligned_crops,
    anchors,
    crop_matrix,
    regions,
    similarity,
)


def mesh() -> np.ndarray:
    with Landmarker() as landmarker:
        return landmarker(sample_frame()).landmarks[0]


def test_regions_are_disjoint_and_inside_the_mesh():
    groups = regions()
    assert list(groups) == ["left_brow", "right_brow", "left_eye", "right_eye", "nose_cheeks", "mouth", "chin_jaw"]
    flat = [index for group in groups.values() for index in group]
    assert len(flat) == len(set(flat)) and min(flat) >= 0 and max(flat) < 478
    for part in ("brow", "eye"):
        assert len(groups[f"left_{part}"]) == len(groups[f"right_{part}"])


def test_regions_lie_where_their_names_say():
    points = mesh()
    centre = {name: points[list(group), :2].mean(0) for name, group in regions().items()}
    for part in ("brow", "eye"):
        assert centre[f"left_{part}"][0] > centre["nose_cheeks"][0] > centre[f"right_{part}"][0]  # the subject's own sides
    heights = [centre[name][1] for name in ("left_brow", "left_eye", "nose_cheeks", "mouth", "chin_jaw")]
    assert heights == sorted(heights)
    for iris, eye in ((LEFT_IRIS, "left_eye"), (RIGHT_IRIS, "right_eye")):
        low, high = points[list(regions()[eye]), 0].min(), points[list(regions()[eye]), 0].max()
        assert low < points[iris[0], 0] < high and set(iris) <= set(regions()[eye])


def test_similarity_recovers_a_known_motion():
    rng = np.random.default_rng(0)
    points, angle, scale, shift = rng.normal(size=(5, 2)), 0.7, 2.5, np.array([3.0, -4.0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = similarity(points, points @ turn.T + shift)
    np.testing.assert_allclose(matrix, np.column_stack([turn, shift]), atol=1e-9)


def test_the_crop_follows_the_face():
    """Turning, shrinking or moving the picture with its mesh leaves the crop as it was."""
    import cv2

    image, points = sample_frame(), mesh()
    plain = aligned_crop(image, points, 112).astype(float)
    motion = cv2.getRotationMatrix2D((320, 180), 25, 0.9)
    moved = cv2.warpAffine(image, motion, (640, 360))
    there = points.copy()
    there[:, :2] = points[:, :2] @ motion[:, :2].T + motion[:, 2]
    again = aligned_crop(moved, there, 112).astype(float)
    inner = (slice(20, 92), slice(20, 92))  # the corners may show what was outside of the turned picture
    assert np.abs(plain[inner] - again[inner]).mean() < 4
    assert np.abs(plain[inner] - again[::-1, ::-1][inner]).mean() > 20


def test_eyes_and_mouth_land_on_fixed_places():
    points = mesh()
    for size, margin in ((112, 0.1), (64, 0.0)):
        matrix = crop_matrix(points, size, margin)
        eyes = anchors(points) @ matrix[:, :2].T + matrix[:, 2]
        assert eyes[0, 0] < size / 2 < eyes[1, 0] and abs(eyes[0, 1] - eyes[1, 1]) < 0.06 * size
        assert eyes[2, 1] > 0.65 * size and abs(eyes[2, 0] - size / 2) < 0.12 * size


def test_large_pictures_are_shrunk_not_aliased():
    import cv2

    image, points = sample_frame(), mesh()
    large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    grown = points * 4 + 1.5
    near = np.abs(aligned_crop(large, grown, 64).astype(float) - aligned_crop(image, points, 64)).mean()
    assert near < 3


def test_a_face_outside_the_picture_gives_a_grey_crop():
    crop = aligned_crop(sample_frame(), mesh() + 5000, 32)
    assert crop.shape == (32, 32, 3) and (crop == 128).all()


def test_batches():
    image, points = sample_frame(), mesh()
    crops = aligned_crops([image, image], np.stack([points, points]), 48)
    assert crops.shape == (2, 48, 48, 3) and (crops[0] == crops[1]).all()
    assert aligned_crops([], np.zeros((0, 478, 3)), 48).shape == (0, 48, 48, 3)
