"""How utterances are read is learnt with the head, and nothing else is."""

import pytest
import torch
from model.families import FAMILIES, toy

from emoreason.model.batch import as_tensors
from emoreason.model.config import UTTERANCE_HEAD
from emoreason.model.utterances import words_batch
from emoreason.model.words import read_words
from emoreason.training.settings.words import WordsTuning
from emoreason.training.words.head import give_words
from emoreason.training.words.tuning import Drawn, WordsTraining, collate, tune_words

SETS = {
    "talk": [(("which emotion is shown",), 0), (("no cue stands out",), 1)] * 4,
    "notes": [(("f1 AU12 strong.", "no cue stands out"), 2)] * 3,
}
ASKED = WordsTuning(rank=4, layers=2, lr=0.01, schedule={"steps": 25, "batch": 4, "window": 2, "precision": "fp32"})


@pytest.fixture
def parts():
    processor, model = toy(FAMILIES["llama"])
    give_words(model, {"layer": 2, "languages": ["en"], "adapter": ASKED.model_dump(include={"rank", "layers"})})
    return processor.tokenizer, model, model.heads[UTTERANCE_HEAD.name]


def test_adapter_and_head_learn_and_the_language_model_stays(parts, tmp_path):
    tokenizer, model, head = parts
    training = WordsTraining(model.backbone, model.words_adapter, head, 2).eval()
    every = collate(tokenizer)([row for rows in SETS.values() for row in rows])
    before = {name: value.clone() for name, value in training.state_dict().items()}
    with torch.no_grad():
        plain, loss = read_words(model.backbone, every["words"], 2), training(**every)["loss"]
    fitted = tune_words(training, tokenizer, SETS, ASKED, 0, tmp_path, lambda: {"loss": training(**every)["loss"].item()})
    assert fitted.finished and fitted.best["loss"] < 0.5 * loss
    assert head.log_prior.exp().topk(3).values.tolist() == pytest.approx([0.5, 0.25, 0.25], abs=0.005)
    changed = {name.split(".")[0] for name, value in training.state_dict().items() if not value.equal(before[name])}
    assert changed == {"words_adapter", "head"}
    torch.testing.assert_close(read_words(model.backbone, every["words"], 2), plain)
    assert not model.read(every["words"]).allclose(plain, atol=1e-3)


@pytest.mark.parametrize(("weights", "often"), [({}, 10), ({"talk": 3.0}, 5)])
def test_sets_are_drawn_by_weight_and_not_by_size(weights, often):
    drawn = Drawn(SETS, weights, seed=1)
    draws = [next(drawn.mixture) for _ in range(20)]
    assert sum(draw.part == "notes" for draw in draws) == often
    assert drawn.shares(4).tolist() == pytest.approx([(1 - often / 20) / 2] * 2 + [often / 20, 0.001])
    assert {drawn.example(draw) for draw in draws} == {row for rows in SETS.values() for row in rows}
    assert drawn.size(SETS["talk"][1]) == len("no cue stands out")


def test_a_batch_keeps_its_utterances_apart(parts):
    batch = collate(parts[0])(SETS["talk"][:2])
    assert batch["target"].tolist() == [0, 1]
    wanted = as_tensors(words_batch(parts[0], [lines for lines, _ in SETS["talk"][:2]]))
    assert batch["words"].input_ids.equal(wanted.input_ids) and batch["words"].said.equal(wanted.said)
