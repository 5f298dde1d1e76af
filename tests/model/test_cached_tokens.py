"""Training of the language model: encoder tokens from a cache, and logits only where answers are."""

import numpy as np
import pytest
import torch
from model.families import FAMILIES, toy
from model.samples import segment

from emoreason.model.segment_input import SegmentInput

ANSWERS = ["f1 AU12 strong. It looks like happiness.", "No."]


def of_tokens(model, processor, one: SegmentInput) -> SegmentInput:
    """The same segment by the tokens that the encoders make of it."""
    batch = processor([one])
    with torch.no_grad():
        seen, heard = model.encode(batch["face"], batch["voice"])
    return SegmentInput.of_tokens(
        one.question,
        one.persons,
        one.evidence,
        None if seen is None else seen.tokens[0].numpy(),
        None if heard is None else heard.tokens[0].numpy(),
        one.turns,
    )


@pytest.mark.parametrize(
    "some",
    [
        [segment(0, persons=2, frames=4), segment(1)],
        [segment(0).without("voice"), segment(1).without("face")],
        [segment(0).without("face", "voice")],
    ],
    ids=["both", "one each", "none"],
)
def test_cached_tokens_give_the_same_logits(some):
    processor, model = toy(FAMILIES["llama"])
    cached = [of_tokens(model, processor, one) for one in some]
    with torch.no_grad():
        expected, given = model(**processor(some)), model(**processor(cached))
    torch.testing.assert_close(given.logits, expected.logits, atol=1e-5, rtol=1e-5)
    assert set(given.heads) == {"sentiment"}  # the encoders' own heads need more than tokens


def test_no_encoder_runs_on_cached_tokens(monkeypatch):
    processor, model = toy(FAMILIES["llama"])
    cached = of_tokens(model, processor, segment())
    monkeypatch.setattr(type(model.face), "forward", lambda *_: pytest.fail("the face encoder ran"))
    monkeypatch.setattr(type(model.voice), "forward", lambda *_: pytest.fail("the voice encoder ran"))
    assert torch.isfinite(model(**processor([cached])).logits).all()


def test_leaving_a_modality_out_leaves_its_tokens_out():
    processor, model = toy(FAMILIES["llama"])
    cached = of_tokens(model, processor, segment())
    less = cached.without("face", "voice")
    assert less.persons == () and not less.has_voice
    batch = processor([less])
    assert batch["face"] is None and batch["voice"] is None


def test_tokens_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"face_tokens must be 2 persons x tokens x width, got \[1, 3, 4\]"):
        SegmentInput.of_tokens("?", ("p1", "p2"), (), np.zeros((1, 3, 4), np.float32), None)


@pytest.mark.parametrize("name", ["llama", "gemma3", "qwen2_5_vl"])
def test_the_loss_is_the_backbones_own_and_logits_are_those_of_the_answers(name):
    processor, model = toy(FAMILIES[name])
    batch = processor([segment(0).without("face", "voice"), segment(1).without("face", "voice")], ANSWERS)
    labels = batch["labels"]
    with torch.no_grad():
        given = model(**batch)
        whole = model(**{name: value for name, value in batch.items() if name != "labels"}).logits
    shifted = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
    rows = whole[shifted != -100]
    torch.testing.assert_close(given.logits[0], rows, atol=1e-5, rtol=1e-5)
    expected = torch.nn.functional.cross_entropy(whole[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    torch.testing.assert_close(given.loss, expected, atol=1e-5, rtol=1e-5)
