import cv2
import numpy as np
import pytest
from face_pictures import sample_frame

from emoreason.perception.landmarker import Landmarker
from emoreason.perception.quality import face_quality, picture_quality

SIZE, SHARP, BRIGHT, OVERALL = range(4)


@pytest.fixture(scope="module")
def seen() -> tuple[np.ndarray, np.ndarray]:
    with Landmarker() as landmarker:
        return sample_frame(), landmarker(sample_frame()).landmarks[0]


def falls(values) -> bool:
    return all(a > b for a, b in zip(values, values[1:], strict=False))


def test_a_good_face_is_good(seen):
    quality = face_quality(*seen, yaw_deg=0.0)
    assert quality[SIZE] > 100 and quality[SHARP] > 0.6 and 0.3 < quality[BRIGHT] < 0.7 and quality[OVERALL] == 1


def test_blur_lowers_sharpness_and_overall(seen):
    image, points = seen
    qualities = [face_quality(cv2.GaussianBlur(image, (0, 0), sigma), points, 0.0) for sigma in (0.1, 4, 8, 16)]
    assert falls([quality[SHARP] for quality in qualities])
    assert falls([quality[OVERALL] for quality in qualities[1:]])  # up to the second the picture is sharp enough


def test_darkness_lowers_brightness_and_overall_but_not_sharpness(seen):
    image, points = seen
    qualities = [face_quality((image * share).astype(np.uint8), points, 0.0) for share in (0.4, 0.25, 0.15, 0.05)]
    assert falls([quality[BRIGHT] for quality in qualities]) and falls([quality[OVERALL] for quality in qualities])
    assert qualities[0][SHARP] == pytest.approx(qualities[1][SHARP], abs=0.05)
    assert qualities[-1][OVERALL] == 0


def test_distance_lowers_size_and_overall(seen):
    image, points = seen
    qualities = []
    for share in (0.3, 0.2, 0.1):
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        qualities.append(face_quality(small, points * share, 0.0))
    assert falls([quality[SIZE] for quality in qualities]) and falls([quality[OVERALL] for quality in qualities])


def test_turning_away_lowers_overall_alike_on_both_sides(seen):
    overall = [face_quality(*seen, yaw_deg=yaw)[OVERALL] for yaw in (0, 30, 50, 70, 85)]
    assert overall[0] == overall[1] and falls(overall[1:]) and overall[-1] == 0
    assert face_quality(*seen, yaw_deg=-50)[OVERALL] == overall[2]


def test_size_is_in_original_pixels(seen):
    assert face_quality(*seen, 0.0, scale=0.5)[SIZE] == pytest.approx(2 * face_quality(*seen, 0.0)[SIZE])


def test_a_picture_taken_whole_has_no_size_and_half_the_trust(seen):
    quality = picture_quality(seen[0][20:350, 270:600])
    assert np.isnan(quality[SIZE]) and 0 < quality[OVERALL] <= 0.5
