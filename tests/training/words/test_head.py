"""The head on utterances: what it learns from, the one best fit, and its way into a checkpoint."""

import pytest
import torch
import torch.nn.functional as F

from emoreason.errors import ConfigError
from emoreason.instructions.leaks import passages
from emoreason.instructions.record import ClosedLabel, Record, Turn
from emoreason.training.run import load_run
from emoreason.training.stages.words import set_weights
from emoreason.training.words.head import choose_head, figures, fit_head
from emoreason.training.words.utterances import LABELS, Reading, read_all, utterances_of

DIALOGUE = [Turn(text=text) for text in ("one", "two", "three", "this is the one that is meant", "later")]


def record(name, label="joy", split="train", **given):
    kept = {"transcript": f"this is what {name} has to say", "language": "en"} | given
    labels = [ClosedLabel(scheme="talk", value=label)]
    return Record(id=name, dataset="talk", split=split, group=name, licence="x", labels=labels, **kept)


def test_only_known_emotions_of_untested_words_in_its_language_are_learnt():
    tested = record("tested", split="test")
    records = [
        tested, record("a"), record("b", "contempt"), record("c", "tired"), record("d", language="pl"),
        record("e", split="valid"), record("f", transcript="This is what TESTED has to say!"), record("g", language=None),
        record("h", "anger", transcript=None, turns=DIALOGUE, target_turn=3),
    ]  # fmt: skip
    told = utterances_of(records, "train", passages(tested), ["en"])
    assert told.lines == [("this is what a has to say",), ("two", "three", "this is the one that is meant")]
    assert [LABELS[n] for n in told.emotion] == ["happiness", "anger"]
    assert utterances_of(records, "valid", passages(tested), ["en"]).lines == [("this is what e has to say",)]
    with pytest.raises(ConfigError, match="no valid utterance in pl shows one of anger"):
        utterances_of(records, "valid", passages(tested), ["pl"])


def test_a_limit_takes_the_same_ones_again():
    records = [record(f"r{n}") for n in range(30)]
    first, again = (utterances_of(records, "train", (), ["en"], limit=7, seed=3) for _ in range(2))
    assert first.lines == again.lines and len(first.lines) == len(set(first.lines)) == 7
    assert utterances_of(records, "train", (), ["en"], limit=7, seed=4).lines != first.lines


@pytest.fixture(scope="module")
def separable():
    """Features whose direction tells the emotion, the first one four times as frequent, and one emotion that never occurs."""
    rng = torch.Generator().manual_seed(0)
    emotion = torch.randint(0, len(LABELS) - 1, (400,), generator=rng)
    emotion[::2] = 0
    centres = torch.randn(len(LABELS), 24, generator=rng)
    return centres[emotion] * 2 + torch.randn(400, 24, generator=rng), emotion


def test_the_fit_is_the_best_one(separable):
    features, emotion = separable
    head = fit_head(features, emotion, decay=0.1)
    head.requires_grad_(True)
    loss = F.cross_entropy(head(features), emotion) + 0.05 * head.out.weight.square().sum()
    loss.backward()
    assert head.out.weight.grad.abs().max() < 1e-3 and head.out.bias.grad.abs().max() < 1e-3
    standard = head.norm(features)
    torch.testing.assert_close(standard.mean(0), torch.zeros(24), atol=1e-4, rtol=0)
    torch.testing.assert_close(standard.std(0), torch.ones(24), atol=1e-3, rtol=0)
    shares = torch.bincount(emotion, minlength=len(LABELS)).clamp_min(0.4)
    torch.testing.assert_close(head.log_prior.exp(), shares / shares.sum(), atol=1e-3, rtol=0)


def test_the_decay_is_chosen_on_validation(separable):
    features, emotion = separable
    train, near = (features[:200], emotion[:200]), {"near": (features[200:], emotion[200:])}
    decays = (1.0, 0.3, 0.1, 0.03, 0.01)
    head, measured = choose_head(train, near, decays)
    assert measured["uar_near"] > 0.7 and measured["uar_near"] == figures(head, near)["uar_near"]
    noise = {"noise": (torch.randn(200, 24, generator=torch.Generator().manual_seed(1)), emotion[200:])}
    assert choose_head(train, noise, decays)[1]["decay"] > measured["decay"]


def test_what_was_read_is_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr("emoreason.training.words.utterances.SHARD", 2)
    read = []

    class Reader(Reading):
        def __call__(self, lines):
            read.append(lines)
            return torch.tensor([[float(len(line[-1]))] for line in lines])

    lines, weights = [("a",), ("bb",), ("ccc",)], torch.nn.Linear(2, 2)
    told = read_all(Reader(weights, None, 1), lines, tmp_path)
    assert told.tolist() == [[1.0], [2.0], [3.0]] and len(read) == 2
    assert read_all(Reader(weights, None, 1), lines, tmp_path).equal(told) and len(read) == 2
    others = torch.nn.Linear(2, 2)
    for other in (Reader(others, None, 1), Reader(weights, None, 2), Reader(weights, None, 1, others)):
        before = len(read)
        read_all(other, lines, tmp_path)
        assert len(read) == before + 2


def test_unknown_missing_and_senseless_settings_are_named(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("model: tiny\nstages:\n  words: {data: [meld], layer: 2, languages: [en], apert: [ecf]}\n")
    with pytest.raises(ConfigError, match="stages.words: no key 'apert'.*apart"):
        load_run(file)
    for wrong, key in (
        ("stages.words={data: [meld], languages: [en]}", "layer"),
        ("stages.words.data=[]", "data"),
        ("stages.words.limit=0", "limit"),
        ("stages.words.weight=-1", "weight"),
        ("stages.words.layer=many", "layer"),
        ("stages.words.adapter={rank: 0, layers: 1, lr: 0.1, schedule: {steps: 1, batch: 1}}", "adapter.rank"),
    ):
        with pytest.raises(ConfigError, match=f"stages.words: '{key}'"):
            load_run("tiny-smoke", [wrong])
    with pytest.raises(ConfigError, match="adapter.weights: unknown key 'mled'; did you mean 'meld'"):
        load_run("tiny-smoke", ["stages.words.adapter.weights={mled: 2}"])


def test_a_run_may_set_the_weight_of_the_head():
    assert set_weights(load_run("tiny-smoke", ["stages.words.weight=0.25"])) == {"words_emotion": 0.25}
    assert set_weights(load_run("tiny-smoke")) == {} and set_weights(load_run("tiny-labels")) == {}
