"""Compound pictures: the pixels hold what the label shares say."""

import numpy as np
import pytest
from PIL import Image

from emoreason.errors import ConfigError
from emoreason.instructions.blending import HOLD, MORPH_FPS, cutmix, merge, mixup, morph, write_blends, write_morphs
from emoreason.instructions.pairing import blends
from emoreason.instructions.record import AuLabel, ClosedLabel, Media, Record

BLACK, WHITE = np.zeros((48, 40, 3), np.uint8), np.full((48, 40, 3), 200, np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def face(name: str, emotion: str, split: str = "train") -> Record:
    labels = [ClosedLabel(scheme="emoreason", value=emotion)]
    media = Media(image=f"{name}.png")
    return Record(id=name, dataset="set", split=split, group=name, licence="x", media=media, cropped_face=True, labels=labels)


def emotion(record: Record) -> str:
    return record.labels[0].value


@pytest.fixture
def root(tmp_path):
    """A black, a white and a larger white face."""
    for name, picture in (("black", BLACK), ("white", WHITE), ("large", np.full((96, 80, 3), 200, np.uint8))):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    return tmp_path


def test_mixup_weighs_every_pixel():
    assert np.unique(mixup(BLACK, WHITE, 0.3)).tolist() == [140]
    assert (mixup(BLACK, WHITE, 1.0) == BLACK).all() and (mixup(BLACK, WHITE, 0.0) == WHITE).all()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 1.0])
def test_cutmix_tells_the_area_it_left(share):
    source = rng()
    for _ in range(20):
        mixed, left = cutmix(BLACK, WHITE, share, source)
        white = (mixed == 200).all(axis=2)
        assert left == pytest.approx(1 - white.mean()) and left == pytest.approx(share, abs=0.03)
        rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
        assert white[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # one rectangle, whole inside


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_records_keep_both_labels_in_the_share_of_the_pixels(root, tmp_path, how):
    faces = [face("black", "happiness"), face("white", "surprise")]
    made = list(write_blends(blends(faces, emotion, rng(), how), root, tmp_path / "made", rng()))
    assert len(made) == 2 and len({record.media.image for record in made}) == 2
    for record in made:
        shares = record.labels[0].shares
        picture = np.asarray(Image.open(tmp_path / "made" / record.media.image))
        assert picture.mean() / 200 == pytest.approx(shares["surprise"], abs=0.01)
        assert record.compound == "happily surprised" and set(record.synthetic) == {"black", "white"}
        assert record.cropped_face and sum(shares.values()) == pytest.approx(1)


def test_the_second_takes_the_size_of_the_first(root):
    [blend] = [one for one in blends([face("black", "fear"), face("large", "anger")], emotion, rng()) if one.first.id == "black"]
    image, same = merge(blend, {"set": root}, rng())
    assert image.shape == BLACK.shape and same == blend


def test_what_is_no_picture_is_refused(root):
    [blend, _] = blends([face("black", "fear"), face("white", "anger")], emotion, rng())
    with pytest.raises(ConfigError, match="no root is known for data set 'set'"):
        merge(blend, {"other": root}, rng())
    voice = blend.first.model_copy(update={"media": Media(audio="a.wav")})
    with pytest.raises(ConfigError, match="has no picture"):
        merge(type(blend)(voice, blend.second, 0.5, "mixup", blend.emotions), root, rng())


def test_a_morph_rises_from_the_first_picture_to_the_last():
    means = [frame.mean() for frame in morph(BLACK, WHITE, 5)]
    assert means[:HOLD] == [0] * HOLD and means[-HOLD:] == [200] * HOLD and len(means) == 5 + 2 * HOLD
    assert means == sorted(means) and means[HOLD + 2] == 100  # half of the way in the middle of the time


def test_a_film_of_a_sequence_knows_when_its_units_begin(root, tmp_path):
    units = [AuLabel(au="AU12"), AuLabel(au="AU04", present=False)]
    media = Media(frames=["black.png", "white.png"], frame_rate=2.0)
    peak = face("white", "happiness").model_copy(update={"media": media, "action_units": units})
    [made] = write_morphs([peak], {"set": root}, tmp_path / "made", rng())
    frames = [np.asarray(Image.open(tmp_path / "made" / path)) for path in made.media.frames]
    black = sum(frame.mean() == 0 for frame in frames)
    whole = next(place for place, frame in enumerate(frames) if frame.mean() == 200)
    assert made.media.frame_rate == MORPH_FPS and (frames[0] == BLACK).all() and (frames[-1] == WHITE).all()
    assert made.action_units[0].onset_s == pytest.approx(black / MORPH_FPS)
    assert made.action_units[0].apex_s == pytest.approx(whole / MORPH_FPS) and made.action_units[1] == units[1]
    assert made.labels == peak.labels
