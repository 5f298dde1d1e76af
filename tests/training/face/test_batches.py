"""Clips out of pictures, and batches that the encoder takes."""

import pytest
import torch
from made_faces import made_faces
from stage_settings import FACE

from emoreason.errors import ConfigError
from emoreason.labels.action_units import AUS
from emoreason.labels.emotions import EMOTIONS
from emoreason.training.face.batches import Collate, FaceClips, Source, balanced, stills

PHASE = FACE.phases[0]

ANGER, HAPPY, NEUTRAL = (EMOTIONS.index(name) for name in ("anger", "happiness", "neutral"))


def clips(faces, kind, seed=0):
    return made([Source(faces, kind, 1.0)], seed)


def made(sources, seed=0):
    return FaceClips(sources, PHASE.clips, PHASE.balance, seed)


def drawn(source, count):
    return [source.example(next(source.mixture)) for _ in range(count)]


def test_rare_emotions_come_more_often_but_not_without_bound():
    labels = torch.eye(8)[torch.tensor([NEUTRAL] * 900 + [HAPPY] * 99 + [0])]
    faces = made_faces(count=1000, emotion=labels)
    counts = torch.bincount(labels[balanced(faces, PHASE.balance, 0)].argmax(1), minlength=8)
    assert counts[NEUTRAL] == 900 and abs(int(counts[HAPPY]) - 99 * (900 / 99) ** 0.5) < 30
    assert int(counts[0]) == PHASE.balance.most
    assert balanced(faces, PHASE.balance, 1) == balanced(faces, PHASE.balance, 1)


def test_how_often_rare_emotions_come_is_a_setting():
    labels = torch.eye(8)[torch.tensor([NEUTRAL] * 900 + [HAPPY] * 99 + [0])]
    faces = made_faces(count=1000, emotion=labels)
    flat = PHASE.balance.model_copy(update={"power": 0.0})
    assert balanced(faces, flat, 0) == list(range(1000))
    much = PHASE.balance.model_copy(update={"power": 1.0, "most": 4.0})
    assert balanced(faces, much, 0).count(999) == 4


def test_an_emotion_that_is_never_drawn_counts_as_one_in_a_thousand():
    faces = made_faces(count=20, emotion=torch.eye(8)[torch.tensor([NEUTRAL, HAPPY] * 10)])
    prior = clips(faces, "still").prior("ferplus")
    assert prior[NEUTRAL] == prior[HAPPY] == 0.5 and prior[ANGER] == 1e-3


def test_a_kind_of_clip_that_the_pictures_do_not_make_is_named():
    with pytest.raises(ConfigError, match="ferplus: its training pictures make no clip of kind 'course'"):
        clips(made_faces(), "course")


def test_where_most_saw_no_emotion_the_picture_is_left_out():
    faces = made_faces(count=40, known=torch.tensor([1.0] * 30 + [0.2] * 10))
    assert max(balanced(faces, PHASE.balance, 0)) == 29


def test_the_prior_is_that_of_what_is_drawn():
    source = clips(made_faces(count=400), "still")
    seen = torch.stack([example["emotion"][0] for example in drawn(source, len(source.items["ferplus-still"]))]).mean(0)
    assert torch.allclose(source.prior("ferplus"), seen, atol=1e-6)


def test_examples_are_their_draws():
    source = clips(made_faces(), "turns")
    draw = next(source.mixture)
    one, again = source.example(draw), source.example(draw)
    torch.testing.assert_close(one, again, rtol=0, atol=0, equal_nan=True)


def test_turns_hold_one_or_two_faces_and_the_labels_of_each():
    faces = made_faces()
    for example in drawn(clips(faces, "turns"), 30):
        frames = len(example["times_s"])
        assert 2 <= frames <= PHASE.clips.frames and (example["times_s"].diff() > 0).all()
        kinds = {tuple(label.tolist()) for label in example["emotion"]}
        assert len(kinds) <= 2
        for crop, label in zip(example["crops"], example["emotion"], strict=True):
            place = next(i for i in range(len(faces)) if torch.equal(faces["crops"][i], crop))
            assert torch.equal(faces["emotion"][place], label)


def test_a_course_goes_from_neutral_to_peak():
    faces = made_faces("ckplus_neutral_peak", 64)
    source = clips(faces, "course")
    assert len(source.items["ckplus_neutral_peak-course"]) == 32
    frown = AUS.index("AU04")
    known = []
    for example in drawn(source, 40):
        labels = example["emotion"]
        ends = labels[[0, -1]].argmax(1).tolist()
        assert NEUTRAL in ends and torch.allclose(labels.sum(1), torch.ones(len(labels)))
        away = 1 - labels[:, NEUTRAL]
        steps = away.diff()
        assert (steps >= -1e-6).all() or (steps <= 1e-6).all()
        peak = labels[away.argmax()].clone()
        coded = example["aus"][:, frown]
        at_rest = coded[away.argmin()]
        assert at_rest == 0 and coded[away.argmax()] == float(peak.argmax() == ANGER)
        known.append(coded.isnan().any() if peak.argmax() == ANGER else torch.tensor(False))
    assert any(known)  # half-way a unit is neither there nor not


def test_last_frames_keep_their_order():
    faces = made_faces("ckplus48", 40)
    example = drawn(clips(faces, "last"), 1)[0]
    assert len(example["times_s"]) == 2 and torch.equal(example["times_s"], torch.tensor([0.0, 1 / 30]))
    first = next(i for i in range(40) if torch.equal(faces["crops"][i], example["crops"][0]))
    assert faces.ids[first].endswith("_00000001")


def test_a_batch_is_padded_and_says_where():
    sources = [Source(made_faces(), "still", 0.5), Source(made_faces("ckplus_neutral_peak"), "course", 0.5)]
    source = made(sources)
    examples = drawn(source, 8)
    batch = Collate(PHASE.augment, 48)(examples)
    mask = batch["face"].frame_mask[:, 0]
    assert mask.sum(1).tolist() == [len(example["times_s"]) for example in examples]
    assert batch["face"].crops.shape[2:] == (mask.shape[1], 3, 48, 48)
    assert batch["emotion"][~mask].isnan().all() and not batch["emotion"][mask].isnan().any()
    assert batch["series"].shape == (*mask.shape, 52)
    again = Collate(PHASE.augment, 48)(examples)
    assert torch.equal(again["face"].crops, batch["face"].crops)


def test_stills_are_untouched():
    faces = made_faces()
    batch = stills(faces, torch.tensor([3, 5]))
    assert batch.frame_mask.shape == (2, 1, 1) and not batch.times_s.any()
    assert torch.allclose(batch.crops[1, 0, 0, 2] * 255, faces["crops"][5, 12:60, 12:60].float(), atol=1e-3)
    assert torch.equal(batch.landmarks[0, 0, 0], faces["landmarks"][3].float())
