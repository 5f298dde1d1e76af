"""What cameras and hands do to pictures: each kind alone, alike within a clip, and nothing where nothing is asked for."""

import pytest
import torch
from made_faces import CROP, made_faces
from stage_settings import FACE, UNCHANGED

from emoreason.training.face.augment import augment
from emoreason.training.face.damage import damaged
from emoreason.training.settings.face import FaceAugment

KINDS = ("side_light", "dark", "blur", "small", "jpeg", "cover")


def pictures(count=8, size=48):
    """Smooth faces-like blobs in 0..1."""
    at = (torch.arange(size) + 0.5) / size
    waves = [(2 + n) * (at[None] + at[:, None] / 2) for n in range(count)]
    return 0.5 + 0.4 * torch.stack([(6.28 * wave).sin() for wave in waves])


@pytest.mark.parametrize("size", [48, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_one_share(kind, size):
    given, clips = pictures(size=size), torch.arange(8)
    shown, hit = damaged(given, clips, torch.Generator().manual_seed(0), FaceAugment(**{kind: 1.0}))
    assert hit.all() and shown.shape == given.shape and shown.min() >= 0 and shown.max() <= 1
    assert ((shown - given).abs().flatten(1).amax(1) > 0.01).all()
    again, _ = damaged(given, clips, torch.Generator().manual_seed(0), FaceAugment(**{kind: 1.0}))
    assert torch.equal(again, shown)
    some, hit = damaged(given, clips, torch.Generator().manual_seed(1), FaceAugment(**{kind: 0.5}))
    assert 0 < int(hit.sum()) < 8 and torch.equal(some[~hit], given[~hit])


@pytest.mark.parametrize("kind", ["side_light", "blur", "small", "jpeg"])  # the others add a sensor's noise or grain
def test_frames_of_a_clip_are_damaged_alike(kind):
    given = pictures(1).expand(6, -1, -1).contiguous()
    shown, hit = damaged(given, torch.tensor([0, 0, 0, 1, 1, 1]), torch.Generator().manual_seed(3), FaceAugment(**{kind: 1.0}))
    torch.testing.assert_close(shown[0], shown[2])
    assert not torch.allclose(shown[0], shown[3], atol=1e-3)


def test_what_the_damage_is():
    given, clips, rng = pictures(), torch.arange(8), torch.Generator().manual_seed(0)
    dark, _ = damaged(given, clips, rng, FaceAugment(dark=1.0))
    assert (dark.flatten(1).mean(1) < 0.55 * given.flatten(1).mean(1)).all()
    for kind in ("blur", "small"):  # smooth as the pictures are, noise is not
        noise = torch.rand(8, 48, 48, generator=rng)
        soft, _ = damaged(noise, clips, rng, FaceAugment(**{kind: 1.0}))
        assert soft.std() < 0.7 * noise.std()
    hidden, _ = damaged(given, clips, rng, FaceAugment(cover=1.0))
    share = ((hidden - given).abs() > 1e-6).float().mean((1, 2))
    assert (share > 0.02).all() and (share < 0.9).all()


def test_without_damage_a_batch_is_what_it_was():
    """The chance of old runs is not used up by kinds of damage that they did not have."""
    frames, clips = dict(made_faces(count=6).arrays), torch.tensor([0, 0, 1, 2, 3, 4])
    shipped = FACE.phases[-1].augment
    before = shipped.model_copy(update=dict.fromkeys((*KINDS, "no_picture", "points_hurt"), 0.0))
    rng, other = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    augment(frames, clips, rng, CROP.side, before)
    augment(frames, clips, other, CROP.side, FaceAugment(**before.model_dump(include=set(before.model_fields_set))))
    assert rng.get_state().equal(other.get_state())
    crops = torch.rand(6, 48, 48)
    state = rng.get_state()
    shown, hit = damaged(crops, clips, rng, before)
    assert torch.equal(shown, crops) and not hit.any() and rng.get_state().equal(state)


def test_landmarks_of_a_damaged_picture_are_further_off():
    frames, clips = dict(made_faces(count=6).arrays), torch.arange(6)
    hurt = UNCHANGED.model_copy(update={"blur": 1.0, "points_hurt": 0.05})
    out = augment(frames, clips, torch.Generator().manual_seed(0), CROP.side, hurt)
    assert (out["landmarks"] - frames["landmarks"].float()).std() > 0.005
    clean = augment(frames, clips, torch.Generator().manual_seed(0), CROP.side, hurt.model_copy(update={"blur": 0.0}))
    torch.testing.assert_close(clean["landmarks"], frames["landmarks"].float())


def test_without_its_picture_a_face_is_told_by_its_mesh():
    faces = made_faces(count=6)
    frames = dict(faces.arrays) | {"mesh": torch.tensor([True] * 5 + [False])}
    strength = UNCHANGED.model_copy(update={"no_picture": 1.0})
    out = augment(frames, torch.arange(6), torch.Generator().manual_seed(0), CROP.side, strength)
    kept = augment(frames, torch.arange(6), torch.Generator().manual_seed(0), CROP.side, UNCHANGED)
    assert out["crops"][:5].std() < 0.2 and out["mesh"][:5].all()
    torch.testing.assert_close(out["crops"][5], kept["crops"][5])  # where there is no mesh the picture is all there is
