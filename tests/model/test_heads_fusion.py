import numpy as np
import pytest
import torch

from emoreason.model.fusion import Source, clip_evidence, fuse
from emoreason.model.head_spec import HeadSpec
from emoreason.model.heads import Head

LABELS = ("anger", "fear", "happiness", "neutral")


def log_evidence(*p, prior=None):
    prior = prior or np.full(len(p), 1 / len(p))
    return np.log(p) - np.log(prior)


def test_one_head_with_a_flat_prior_is_itself():
    out = np.exp(fuse([Source(LABELS, log_evidence(0.1, 0.2, 0.3, 0.4))], LABELS))
    np.testing.assert_allclose(out, np.array([0.1, 0.2, 0.3, 0.4]))


def test_the_prior_is_divided_out():
    same_as_prior = np.exp(fuse([Source(LABELS, log_evidence(0.1, 0.1, 0.1, 0.7, prior=(0.1, 0.1, 0.1, 0.7)))], LABELS))
    np.testing.assert_allclose(same_as_prior, 0.25)


def test_missing_modality_is_that_modality_absent():
    face = Source(LABELS, log_evidence(0.1, 0.2, 0.3, 0.4))
    voice = Source(LABELS, log_evidence(0.9, 0.05, 0.03, 0.02), present=np.array(False))
    np.testing.assert_allclose(fuse([face, voice], LABELS), fuse([face], LABELS))


def test_permutation_of_heads_and_of_a_heads_labels_changes_nothing():
    face = Source(LABELS, log_evidence(0.1, 0.2, 0.3, 0.4))
    voice = Source(("happiness", "anger", "fear"), log_evidence(0.5, 0.3, 0.2), weight=0.5)
    turned = Source(("fear", "happiness", "anger"), log_evidence(0.2, 0.5, 0.3), weight=0.5)
    np.testing.assert_allclose(fuse([face, voice], LABELS), fuse([turned, face], LABELS))


def test_a_head_without_a_class_gives_it_no_evidence():
    flat = Source(("anger", "fear", "happiness"), log_evidence(1 / 3, 1 / 3, 1 / 3))
    np.testing.assert_allclose(np.exp(fuse([flat], LABELS)), 0.25)
    happy = np.exp(fuse([Source(("anger", "fear", "happiness"), log_evidence(0.05, 0.05, 0.9))], LABELS))
    assert happy[2] > happy[3] > happy[0], "the class the head lacks is neither favoured nor ruled out"


def test_weight_zero_is_silence():
    out = np.exp(fuse([Source(LABELS, log_evidence(0.1, 0.2, 0.3, 0.4), weight=0.0)], LABELS))
    np.testing.assert_allclose(out, 0.25)


def test_no_source_is_an_error():
    with pytest.raises(ValueError, match="at least one source"):
        fuse([], LABELS)


def test_clip_evidence_weighs_by_quality_and_ignores_masked_nan():
    logits = np.array([[1.0, 0.0], [3.0, 0.0], [float("nan"), float("nan")]])
    quality, mask = np.array([1.0, 3.0, 5.0]), np.array([True, True, False])
    np.testing.assert_allclose(clip_evidence(logits, quality, mask), np.array([2.5, 0.0]))
    assert (clip_evidence(logits, quality, np.zeros(3, bool)) == 0).all()


@pytest.mark.parametrize("problem", ["single_label", "distribution", "multi_label", "regression"])
def test_masked_and_uncoded_targets_do_not_move_the_loss(problem):
    head = Head(HeadSpec("h", "face", problem, "frame", ("a", "b", "c")), 8)
    logits = torch.randn(4, 3, requires_grad=True)
    target = torch.tensor([0, 1, 2, 1]) if problem == "single_label" else torch.rand(4, 3)
    mask = torch.tensor([True, True, False, False])
    loss = head.loss(logits, target, mask)
    torch.testing.assert_close(loss, head.loss(logits[:2], target[:2]))
    loss.backward()
    assert (logits.grad[2:] == 0).all() and logits.grad[:2].abs().sum() > 0
    assert head.loss(logits, target, torch.zeros(4, dtype=torch.bool)) == 0


def test_uncoded_units_are_left_out():
    head = Head(HeadSpec("au", "face", "multi_label", "frame", ("AU01", "AU02")), 8)
    logits = torch.zeros(1, 2)
    coded = head.loss(logits, torch.tensor([[1.0, float("nan")]]))
    torch.testing.assert_close(coded, head.loss(logits[:, :1], torch.ones(1, 1)))


def test_head_keeps_its_prior_and_says_what_is_new():
    head = Head(HeadSpec("e", "face", "single_label", "clip", LABELS), 8).eval()
    head.set_prior(torch.tensor([1.0, 1.0, 1.0, 7.0]))
    logits = torch.tensor([0.1, 0.1, 0.1, 0.7]).log()
    torch.testing.assert_close(head.log_evidence(logits), torch.zeros(4), atol=1e-6, rtol=0)
    np.testing.assert_allclose(head.calibration().log_evidence(logits.numpy()), np.zeros(4), atol=1e-6)
    with pytest.raises(ValueError, match="positive shares"):
        head.set_prior(torch.tensor([0.0, 1.0, 1.0, 1.0]))
    assert "log_prior" in head.state_dict() and "temperature" in head.state_dict()


def test_bad_specs_are_refused():
    with pytest.raises(ValueError, match="distinct"):
        HeadSpec("e", "face", "single_label", "clip", ("a", "a"))
    with pytest.raises(ValueError, match="unknown problem"):
        HeadSpec("e", "face", "guess", "clip", ("a",))
