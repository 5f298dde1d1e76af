"""Picture, mesh, signals and labels change together."""

import cv2
import numpy as np
import pytest
import torch
from made_faces import CROP, made_faces
from stage_settings import FACE, UNCHANGED

from emoreason.labels.action_units import AUS, BLENDSHAPES
from emoreason.perception.regions import LEFT_EYE_OUTER, LEFT_MOUTH_CORNER, RIGHT_EYE_OUTER, RIGHT_MOUTH_CORNER
from emoreason.training.face.augment import augment, blend, mirrored, moved, placed, plain
from emoreason.training.face.mirror import MIRROR

SHIPPED = FACE.phases[0].augment
SIDE, CANVAS = CROP.side, CROP.canvas
RIM = (CANVAS - SIDE) // 2


def frames(count=6, **changed):
    return dict(made_faces(count=count).arrays) | changed


def changed(**values):
    return SHIPPED.model_copy(update=values)


def identity(count):
    return torch.eye(2, 3).expand(count, 2, 3)


def test_nothing_changed_is_the_crop_outside_training():
    given = frames()
    shown = placed(given["crops"], identity(6), SIDE)
    assert torch.allclose(shown, plain(given, SIDE)["crops"], atol=1e-5)
    assert torch.allclose(shown * 255, given["crops"][:, RIM:-RIM, RIM:-RIM].float(), atol=1e-2)


def test_the_mesh_moves_with_the_picture():
    """A bright dot under a landmark stays under it."""
    points = torch.tensor([[0.3, 0.4], [0.6, 0.7], [0.5, 0.5]])
    canvas = np.zeros((3, CANVAS, CANVAS), np.uint8)
    for picture, (x, y) in zip(canvas, points, strict=True):
        at = (round(float(x) * SIDE - 0.5) + RIM, round(float(y) * SIDE - 0.5) + RIM)
        cv2.circle(picture, at, 2, 255, -1)
    turn, scale = 0.3, 1.2
    linear = scale * torch.tensor([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]], dtype=torch.float32)
    shift = torch.tensor([0.55, 0.45]) - linear @ torch.tensor([0.5, 0.5])
    matrix = torch.cat([linear, shift[:, None]], 1).expand(3, 2, 3)
    shown = placed(torch.from_numpy(canvas), matrix, SIDE)
    landmarks = torch.cat([points, torch.ones(3, 1)], 1)[:, None]  # [3, 1, 3]
    there = moved(landmarks, matrix)
    for picture, point in zip(shown, there[:, 0], strict=True):
        row, column = divmod(int(picture.argmax()), SIDE)
        inside = (picture > 0.5).nonzero().float().mean(0)
        assert abs(float(inside[1]) + 0.5 - float(point[0]) * SIDE) < 1, (row, column)
        assert abs(float(inside[0]) + 0.5 - float(point[1]) * SIDE) < 1
    assert there[0, 0, 2] == pytest.approx(scale)


def test_the_mirror_knows_left_from_right():
    assert MIRROR[LEFT_EYE_OUTER] == RIGHT_EYE_OUTER and MIRROR[RIGHT_MOUTH_CORNER] == LEFT_MOUTH_CORNER
    assert MIRROR[1] == 1  # the tip of the nose
    assert [MIRROR[i] for i in MIRROR] == list(range(478))
    given = frames()
    seen = mirrored(given, torch.tensor([True] * 5 + [False]))
    left, right = (BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right"))
    assert torch.equal(seen["blendshapes"][:5, left], given["blendshapes"][:5, right])
    assert torch.allclose(seen["landmarks"][0, LEFT_EYE_OUTER, 0], 1 - given["landmarks"][0, RIGHT_EYE_OUTER, 0])
    turned, other = AUS.index("AU61"), AUS.index("AU62")
    assert torch.equal(seen["measured"][:5, turned], given["measured"][:5, other])
    assert torch.equal(seen["pose"][0] * torch.tensor([1.0, -1, -1]), given["pose"][0])
    assert torch.equal(seen["gaze"][0] * torch.tensor([-1.0, 1]), given["gaze"][0])
    assert all(torch.equal(seen[name][5], given[name][5]) for name in ("crops", "landmarks", "blendshapes", "pose"))
    twice = mirrored(seen, torch.tensor([True] * 5 + [False]))
    for name in ("crops", "landmarks", "blendshapes", "pose", "gaze", "measured"):
        assert torch.allclose(twice[name].float(), given[name].float(), atol=1e-3)


def test_the_same_seed_gives_the_same_batch():
    given, clips = frames(), torch.tensor([0, 0, 0, 1, 2, 3])
    first, again, other = (augment(given, clips, torch.Generator().manual_seed(s), SIDE, SHIPPED) for s in (1, 1, 2))
    assert torch.equal(first["crops"], again["crops"]) and not torch.equal(first["crops"], other["crops"])
    assert first["crops"].shape == (6, SIDE, SIDE) and first["landmarks"].shape == (6, 478, 3)


def test_frames_of_a_clip_change_alike():
    one = made_faces(count=1)
    given = {name: values.expand(8, *values.shape[1:]) for name, values in one.arrays.items()}
    strength = changed(noise=0, erase=0, points=0, no_mesh=0)
    rng = torch.Generator().manual_seed(0)
    together = augment(given, torch.zeros(8, dtype=torch.long), rng, SIDE, strength)
    apart = augment(given, torch.arange(8), rng, SIDE, strength)
    spread = [float(out["landmarks"].std(0).mean()) for out in (together, apart)]
    assert 0 < spread[0] < 0.5 * spread[1]


def test_what_is_left_out_is_left_out():
    given, clips = frames(), torch.arange(6)
    no_mesh = augment(given, clips, torch.Generator(), SIDE, changed(no_mesh=1.0))
    assert not no_mesh["mesh"].any() and not no_mesh["blendshapes"].any()
    assert torch.isfinite(no_mesh["series"]).all()  # what is asked for stays
    silent = augment(given, clips, torch.Generator(), SIDE, changed(no_mesh=0, no_signals=1.0))
    assert silent["mesh"].all() and not silent["gaze"].any() and not silent["blendshapes"].any()
    never = augment(given | {"mesh": torch.zeros(6, dtype=torch.bool)}, clips, torch.Generator(), SIDE, UNCHANGED)
    assert not never["mesh"].any() and never["series"].isnan().all()


def test_blended_faces_have_blended_labels():
    given = augment(frames(count=8), torch.arange(8), torch.Generator().manual_seed(0), SIDE, UNCHANGED)
    which = torch.tensor([True] * 6 + [False] * 2)
    mixed = blend(given, which, torch.Generator().manual_seed(0))
    assert torch.allclose(mixed["emotion"].sum(1), torch.ones(8))
    assert (mixed["emotion"].amax(1)[:6] < 1).any() and torch.equal(mixed["crops"][6:], given["crops"][6:])
    changed = (mixed["crops"] != given["crops"]).flatten(1).any(1)
    assert not changed[6:].any() and ((mixed["emotion"].amax(1) < 1) <= changed).all()
