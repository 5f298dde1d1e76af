"""Degraded pictures: one strength of each damage, sized by the face, the same in every run."""

import cv2
import numpy as np
import pytest
from face_pictures import face

from emoreason.media import Clip
from emoreason.perception.degraded import DAMAGES, degraded, degraded_clip, face_matrix
from emoreason.perception.observe import observe
from emoreason.perception.settings import PerceptionSettings

MATRIX = np.array([[1 / 100, 0, -0.5], [0, 1 / 100, -0.5]])  # a crop from (50, 50) to (150, 150)


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    coarse = rng.integers(40, 220, (25, 25, 3), dtype=np.uint8)
    return cv2.resize(coarse, (200, 200), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_same_key_gives_the_same_picture(picture, damage):
    shown = degraded(picture, MATRIX, damage, 7)
    assert shown.dtype == np.uint8 and shown.shape == picture.shape
    assert np.array_equal(shown, degraded(picture, MATRIX, damage, 7))
    assert np.abs(shown.astype(int) - picture).max() > 20


def test_what_the_damage_is(picture):
    dark = degraded(picture, MATRIX, "dark", 0)
    assert 0.1 * picture.mean() < dark.mean() < 0.22 * picture.mean()
    lit_right, lit_left = (degraded(picture, MATRIX, "side", key) for key in (1, 2))
    assert lit_right[:, :60].mean() < 0.2 * picture[:, :60].mean() < lit_right[:, 140:].mean()
    assert lit_left[:, 140:].mean() < 0.2 * picture[:, 140:].mean() < lit_left[:, :60].mean()
    parts = [(slice(110, 150), slice(50, 150)), (slice(50, 150), slice(50, 98)), (slice(50, 150), slice(102, 150))]
    for key, (rows, columns) in enumerate(parts):
        hidden = degraded(picture, MATRIX, "covered", key)
        assert hidden[rows, columns].std() < 10 < picture[rows, columns].std()


def test_sizes_are_those_of_the_face(picture):
    """Of a face of 24 pixels and less "small" takes nothing, and a smaller face is blurred by less."""
    far = MATRIX * [[5.0]]
    assert np.array_equal(degraded(picture, far, "small", 0), picture)
    changes = [np.abs(degraded(picture, m, "blur", 0).astype(int) - picture).mean() for m in (far, MATRIX)]
    assert changes[0] < 0.5 * changes[1]


def test_a_clip_is_degraded_about_the_face_that_was_measured(tmp_path):
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), cv2.cvtColor(face(100), cv2.COLOR_RGB2BGR))
    settings = PerceptionSettings(cropped_faces=True, words=False)
    clip = Clip(path)
    before = observe(clip, settings)
    spoilt = degraded_clip(clip, before, "covered")
    frame, own = next(iter(spoilt.frames([0.0]))), next(iter(clip.frames([0.0])))
    assert frame.image.shape == own.image.shape and not np.array_equal(frame.image, own.image)
    matrix = face_matrix(before.people[0], own)
    corners = np.array([[0, 0, 1], [own.image.shape[1], own.image.shape[0], 1]]) @ matrix.T
    assert corners[0].max() < 0.5 < corners[1].min()  # the crop's middle lies in the picture
    after = observe(spoilt, settings)
    assert len(after.people) == 1 and not np.allclose(after.people[0].blendshapes, before.people[0].blendshapes, atol=1e-3)
    assert face_matrix(None, own)[0, 0] == pytest.approx(1 / own.image.shape[1])
