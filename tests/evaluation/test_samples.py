"""Which records become samples, and why the others do not."""

import pytest
from evaluation.made import SENTENCES, samples_of, write_suite

from emoreason.errors import ConfigError
from emoreason.evaluation.samples import Folders


def test_split_labels_and_groups(tmp_path):
    found = samples_of(write_suite(tmp_path))
    assert [(sample.id, sample.group, sample.truth) for sample in found.samples][3:] == [
        ("b2", "bob", {"label": "neutral"}), ("c1", "cat", {"label": "neutral"}),
    ]  # fmt: skip
    assert not found.left_out and not found.unread


def test_what_is_left_out_is_counted(tmp_path):
    found = samples_of(write_suite(tmp_path, subset={"labels": ["joy", "anger"], "least_words": 4}))
    assert [sample.id for sample in found.samples] == ["a1"]
    assert found.left_out == {"shorter than 4 words": 2, "without one label among those scored": 2}


def test_folds_replace_the_split(tmp_path):
    path = write_suite(tmp_path, split=None, folds="folds.yaml")
    (tmp_path / "folds.yaml").write_text("folds: [[a1, d1], [b1, gone]]")
    found = samples_of(path)
    assert {sample.id: sample.fold for sample in found.samples} == {"a1": 0, "b1": 1, "d1": 0}
    assert found.left_out == {"listed in a fold, but absent from the data": 1}


def test_nothing_left_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no sample is left of 6 records.*none in this split"):
        samples_of(write_suite(tmp_path, split="valid"))


def test_a_doubled_id_is_unread(tmp_path):
    found = samples_of(write_suite(tmp_path, rows=[*SENTENCES, SENTENCES[0]]))
    assert len(found.samples) == 5 and "already used" in found.unread[0]


def test_a_limit_keeps_both_questions_of_a_pair(tmp_path):
    path = write_suite(tmp_path, kind="hallucination", primary="hallucination_overall")
    found = samples_of(path, limit=2)
    assert [sample.id for sample in found.samples] == ["a1#yes", "a1#no", "b1#yes", "b1#no"]
    for basic, made_up in zip(found.samples[::2], found.samples[1::2], strict=True):
        assert basic.truth["asked"] == basic.record.labels[0].value != made_up.truth["asked"]
        assert (basic.truth["answer"], made_up.truth["answer"]) == ("yes", "no")


def test_questions_of_the_set_itself(tmp_path):
    fields = {"id": "{id}", "group": "{group}", "probe": {"question": "{text}", "answer": "{label}", "pair": "{group}"}}
    rows = [("a", "p", "test", "yes", "Is it so?"), ("b", "p", "test", "no", "Is it not?")]
    changes = {"fields": fields, "scheme": None}
    found = samples_of(write_suite(tmp_path, rows, changes, kind="hallucination", input="media", merge={}))
    assert [sample.truth for sample in found.samples] == [
        {"answer": "yes", "asked": "Is it so?", "pair": "p"},
        {"answer": "no", "asked": "Is it not?", "pair": "p"},
    ]


def test_duplicates_of_other_splits(tmp_path):
    changes = {"fields": {"id": "{id}", "group": "{group}", "label": "{label}", "image": "{text}"}, "faces": "cropped"}
    rows = [("a", "a", "test", "joy", "a.png"), ("b", "b", "test", "joy", "b.png"), ("c", "c", "train", "joy", "c.png")]
    path = write_suite(tmp_path, rows, changes, input="media", subset={"duplicates": "drop"})
    for name, content in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / "talk" / f"{name}.png").write_bytes(content)
    found = samples_of(path)
    assert [sample.id for sample in found.samples] == ["b"]
    assert found.left_out == {"byte for byte in another split, too": 1}


def test_open_labels_of_another_table(tmp_path):
    joined = {"folder": "lists", "table": "open.csv", "key": "name", "open_labels": "words"}
    path = write_suite(tmp_path, kind="open_vocabulary", join=joined, primary="list_length")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "open.csv").write_text("name,words\na1,\"['glad', 'at ease']\"\nb1,scared\n")
    found = samples_of(path)
    assert [sample.truth for sample in found.samples] == [{"words": ["glad", "at ease"]}, {"words": ["scared"]}]
    (tmp_path / "lists" / "open.csv").write_text("name,words\na1,glad\na1,scared\n")
    with pytest.raises(ConfigError, match="two rows"):
        samples_of(path)


def test_folders_say_how_to_name_them(tmp_path):
    with pytest.raises(ConfigError, match="--root wheels=DIR"):
        Folders().named("wheels")
    with pytest.raises(ConfigError, match="no such folder"):
        Folders({}, str(tmp_path)).named("wheels")
    assert Folders({"wheels": tmp_path}).named("wheels") == tmp_path


def test_a_suite_may_take_a_part(tmp_path):
    found = samples_of(write_suite(tmp_path, subset={"most": 2}))
    assert [sample.id for sample in found.samples] == ["a1", "b1"]
    assert found.left_out == {"beyond the samples that the suite takes": 3}
