"""Texts that several data sets share: found across splits, kept out of training, and told by `data validate`."""

import json

import pytest
import yaml

from emoreason.cli import run
from emoreason.instructions.leaks import passages, shared_texts, without_texts_of
from emoreason.instructions.record import Media, Record, Sentence, Turn

LINES = [f"This is sentence number {n} of the play." for n in range(200)]


def talk(dataset: str, split: str, *texts: str) -> Record:
    turns = [Turn(text=text) for text in texts]
    return Record(id=f"{split}_{texts[0]}", dataset=dataset, split=split, group=texts[0], licence="x", turns=turns)


def test_passages_are_the_same_in_every_edition():
    said = passages(talk("a", "train", "You're going to Minsk, aren't you?", "Oh my God!", "今天天气真好我们一起去公园吧"))
    assert list(said) == ["you'regoingtominskaren'tyou", "今天天气真好我们一起去公园吧"]
    editions = (
        "you 're going to minsk , are n't you ?", "You\x92re going to Minsk, aren’t you", "YOU ' RE going to Minsk aren't you",
    )  # fmt: skip
    for edition in editions:
        assert passages(talk("b", "test", edition)).keys() < said.keys()
    explained = talk("a", "train", "Hm.").model_copy(update={"explanation": [Sentence(text=LINES[0], source="human")]})
    assert list(passages(explained).values()) == [LINES[0]]


def test_training_goes_without_what_is_held_apart():
    train = [talk("a", "train", LINES[0], LINES[1]), talk("a", "train", LINES[2]), talk("a", "train", "Oh my God!")]
    test = [talk("b", "test", LINES[1].upper(), "Oh my God!")]
    kept, dropped = without_texts_of(train, {plain for record in test for plain in passages(record)})
    assert dropped == train[:1] and kept == train[1:]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Where have you been all night?", True),
        ("where HAVE you been, all night", True),
        ("Oh my God!", False),  # too short to tell anything
        ("Where have you been all day?", False),
    ],
)
def test_words_that_are_tested_on_are_noticed(text, known):
    held = passages(talk("b", "test", "Where have you been all night?", "Oh my God!"))
    assert bool(without_texts_of([talk("a", "train", "Something else entirely.", text)], held)[1]) == known


def test_acted_sentences_are_the_same_for_everyone():
    acted = Record(id="1", dataset="a", split="train", group="g", licence="x", media=Media(audio="x.wav"), transcript=LINES[0])
    assert not passages(acted)
    assert passages(acted.model_copy(update={"media": None}))
    assert passages(talk("a", "train", LINES[0]).model_copy(update={"media": Media(video="x.mp4")}))  # a filmed dialogue


def test_only_different_splits_of_different_sets_are_compared():
    records = [talk("a", "train", *LINES[:4]), talk("a", "test", *LINES[:4]), talk("b", "train", *LINES[3:8])]
    [shared] = shared_texts(records)
    assert (shared.here, shared.there, shared.count, shared.share) == (("a", "test"), ("b", "train"), 1, 0.25)
    assert shared.example == LINES[3]


def write_set(folder, name: str, rule: dict, **splits: list[str]) -> str:
    root = folder / name
    root.mkdir()
    for split, lines in splits.items():
        (root / f"{split}.json").write_text(json.dumps([{"n": n, "text": text} for n, text in enumerate(lines)]))
    values = {
        "name": name, "title": "t", "source": "s", "licence": "l", "terms": "t", "layout": "x", "folder": name, "faces": "none",
        "metric": "none", "reader": {"kind": "json", "tables": {split: f"{split}.json" for split in splits}},
        "fields": {"id": "{split}_{n}", "group": "{split}_{n}", "transcript": "{text}"},
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values | rule))
    return str(path)


@pytest.mark.parametrize(
    ("shared", "rule", "code", "says"),
    [
        (30, {}, 2, "error: alpha/test and beta/train share 30 passages"),
        (30, {"leaks": {"texts": "allowed", "why": "one series"}}, 0, "allowed by a recipe: one series"),
        (1, {}, 0, "warning: alpha/test and beta/train share 1 passages"),
        (0, {}, 0, ""),
    ],
)
def test_validation_compares_the_sets(tmp_path, monkeypatch, capsys, shared, rule, code, says):
    monkeypatch.setenv("EMOREASON_DATA", str(tmp_path))
    alpha = write_set(tmp_path, "alpha", {}, test=LINES[:100])
    beta = write_set(tmp_path, "beta", rule, train=LINES[100 - shared : 200 - shared])
    assert run(["data", "validate", alpha, beta]) == code
    errors = capsys.readouterr().err
    assert says in errors and bool(errors) == bool(says)
