"""The figures of the head on utterances: with and without the emotions' frequency in training."""

import pytest
import torch
from model.families import FAMILIES, toy

from emoreason.errors import ConfigError
from emoreason.instructions.record import ClosedLabel, Record
from emoreason.training.words.head import fit_head, give_words
from emoreason.training.words.protocol import judged
from emoreason.training.words.utterances import Reading, read_all, utterances_of

SAID = "no cue stands out"


def records(split, rows):
    return [
        Record(
            id=f"{split}{n}", dataset="talk", split=split, group=f"{split}-{n // 2}", licence="x", language="en",
            transcript=text, labels=[ClosedLabel(scheme="talk", value=label)],
        )
        for n, (text, label) in enumerate(rows)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    processor, model = toy(FAMILIES["llama"])
    give_words(model, {"layer": 1, "languages": ["en"]})
    rows = [(SAID, "joy")] * 6 + [(SAID, "anger")] * 3 + [("f1 AU12 strong.", "joy")] * 12
    told = utterances_of(records("train", rows), "train", (), ["en"])
    reading = Reading(model.backbone, processor.tokenizer, 1)
    features = read_all(reading, told.lines, tmp_path_factory.mktemp("features"))
    head = fit_head(features, torch.from_numpy(told.emotion), decay=1e-3)
    model.heads["words_emotion"].load_state_dict(head.state_dict())
    return processor.tokenizer, model


def test_what_is_rare_in_training_is_said_where_emotions_count_alike(parts, tmp_path):
    tokenizer, model = parts
    told = judged(model, tokenizer, records("test", [(SAID, "anger"), (SAID, "anger"), ("f1 AU12 strong.", "joy")]), tmp_path)
    assert told["n"] == 3 and told["groups"] == 2
    value, (low, high) = told["as_trained"]["war"]
    assert value == pytest.approx(1 / 3) and low <= value <= high
    assert told["even"]["war"][0] == told["even"]["uar"][0] == told["even"]["weighted_f1"][0] == 1.0


def test_a_split_that_the_head_cannot_read_is_refused(parts, tmp_path):
    with pytest.raises(ConfigError, match="no valid utterance in en"):
        judged(parts[1], parts[0], records("test", [(SAID, "anger")]), tmp_path, split="valid")
