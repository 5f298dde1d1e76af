"""A label set of one's own: the fresh head beside the old ones, what a record says in it, and what the fusion makes of it."""

import numpy as np
import pytest
import torch
import yaml
from model.families import FAMILIES, toy

from emoreason.config import resolve
from emoreason.errors import ConfigError
from emoreason.instructions.record import ClosedLabel, Record
from emoreason.labels.emotions import EMOTIONS
from emoreason.labels.label_set import EMOTION_SET, LabelSet
from emoreason.model.fusion import Source, fuse
from emoreason.model.segment_input import SegmentInput
from emoreason.model.verdict import VerdictSettings, in_words_of
from emoreason.training.own_labels import give_labels, label_set_of, shares
from emoreason.training.sft import Tuning

OURS = LabelSet("moods", ("tense", "merry", "glad", "odd"), {"merry": "happiness", "glad": "happiness", "tense": "fear"})


def record(**label) -> Record:
    media = {"audio": "a.wav"}
    return Record(id="a", dataset="d", split="train", group="g", licence="x", media=media, labels=[ClosedLabel(**label)])


@pytest.mark.parametrize(
    ("labels", "crosswalk", "said"),
    [(("a",), {}, "at least two"), (("a", "a"), {}, "distinct"), (("a", "b"), {"c": "fear"}, "'c', which is none of its labels"),
     (("a", "b"), {"a": "dread"}, "leads to 'dread'")],
)  # fmt: skip
def test_what_is_no_label_set_is_refused(labels, crosswalk, said):
    with pytest.raises(ValueError, match=said):
        LabelSet("x", labels, crosswalk)


def test_only_a_whole_crosswalk_gives_canonical_probabilities():
    p = np.array([0.1, 0.2, 0.3, 0.4])
    assert OURS.emotions(p) is None and OURS.emotion("odd") is None and OURS.emotion(None) is None
    whole = LabelSet("moods", OURS.labels, dict(OURS.crosswalk) | {"odd": "surprise"}).emotions(p)
    assert whole[EMOTIONS.index("happiness")] == pytest.approx(0.5) and whole.sum() == pytest.approx(1)
    assert EMOTION_SET.emotions(np.full(8, 0.125)).tolist() == [0.125] * 8


def test_labels_get_a_head_beside_the_old_ones_and_the_rest_is_as_it_was():
    _, model = toy(FAMILIES["llama"], lora={"r": 2})
    model.config.verdict = {"weights": {"language": 0.7, "emotion": 0.9}, "temperature": 2.0, "least_confidence": 0.5}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    give_labels(model, OURS)
    state = model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in before.items())
    assert {name.split(".")[1] for name in state.keys() - before.keys()} == {"label_moods"}
    config = model.config
    assert config.label_set() == OURS and config.head_specs()[-1].labels == OURS.labels
    settings = VerdictSettings(**config.verdict)
    assert settings.weights == {"language": 1.0, "emotion": 0.9, "label_moods": 1.0}
    assert settings.temperature == 1.0 and settings.least_confidence is None and settings.log_prior is None
    give_labels(model, OURS)  # once more changes nothing
    assert len(config.head_specs()) == 5
    with pytest.raises(ConfigError, match="knows other labels as 'moods'"):
        give_labels(model, LabelSet("moods", ("calm", "loud")))


def test_a_canonical_head_speaks_through_the_crosswalk_only():
    evidence = np.zeros((1, 8))
    evidence[0, EMOTIONS.index("happiness")] = 3.0
    told = in_words_of(OURS, Source(EMOTIONS, evidence))
    assert list(told.labels) == ["tense", "merry", "glad"]
    p = np.exp(fuse([told], OURS.labels))[0]
    tense, merry, glad, odd = p.tolist()
    assert merry == pytest.approx(glad) and merry > odd > tense  # of what it does not know it says nothing
    same_words = LabelSet("moods", ("fear", "happiness"))  # nobody said that these are the canonical ones
    p = np.exp(fuse([in_words_of(same_words, Source(EMOTIONS, evidence))], same_words.labels))[0]
    assert p.tolist() == pytest.approx([0.5, 0.5])


def test_a_record_says_one_label_several_or_none():
    assert shares(record(scheme="moods", value="merry"), OURS) == [0, 1, 0, 0]
    assert shares(record(scheme="moods", shares={"tense": 0.5, "odd": 0.5}), OURS) == [0.5, 0, 0, 0.5]
    assert shares(record(scheme="emoreason", value="fear"), OURS) is None
    assert shares(record(scheme="moods", value="else"), OURS) is None


def test_the_fresh_head_learns_from_shares_and_unknown_ones_cost_nothing():
    processor, model = toy(FAMILIES["llama"], lora={"r": 2})
    give_labels(model, OURS)
    tuning = Tuning(model, 0.0, 1.0)
    some = [SegmentInput.of_tokens("Which?", (), (), None, None)] * 2
    batch = processor(some, ["It is.", "It is."]) | {"sentiment": torch.tensor([-100, -100])}
    nan = float("nan")
    one = tuning(**batch, label=torch.tensor([[0.0, 1.0, 0.0, 0.0], [nan] * 4]))
    none = tuning(**batch, label=torch.full((2, 4), nan))
    assert none.label.item() == 0 and none.loss.item() == pytest.approx(none.text.item())
    assert one.label.item() > 0 and one.loss.item() == pytest.approx((one.text + one.label).item(), rel=1e-5)
    one.loss.backward()
    assert model.heads["label_moods"].out.weight.grad.abs().sum() > 0
    assert model.heads["emotion"].out.weight.grad is None


def test_labels_come_from_a_recipe(tmp_path):
    labels = label_set_of("ravdess")
    assert labels.name == "ravdess" and labels.emotion("calm") == "neutral" and len(labels.labels) == 8
    values = yaml.safe_load(resolve("recipes", "ravdess").read_text(encoding="utf-8"))
    values["scheme"]["name"] = "emoreason"
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError, match="rename it there"):
        label_set_of(str(tmp_path / "own.yaml"))
