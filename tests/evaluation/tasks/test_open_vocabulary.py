"""Lists of words: one word of a verdict, lists of a model, sets and hits."""

import pytest
from evaluation.made import SMILE, Writing, context_of, row, sample_input, samples_of, task_of, values, write_suite

from emoreason.evaluation.inputs import SampleInput


def test_a_judge_that_does_not_write_has_one_word():
    (words,) = context_of("open_vocabulary").predictions([sample_input("a", {}, people=SMILE)])
    assert words.prediction == {"words": ["happiness"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Well. <answer>emotion=joy; open=glad, at ease</answer>", {"words": ["glad", "at ease"]}),
        ("glad and at ease", None),
    ],
)
def test_what_a_judge_writes_is_read_strictly(text, expected):
    one = sample_input("a", {"asked": "joy"})
    words = SampleInput(one.sample, one.record, None, None)
    (made,) = context_of("open_vocabulary", Writing(text), input="words").predictions([words])
    assert made.prediction == expected and made.status == ("answered" if expected else "unparsable") and made.text == text


def test_open_words():
    rows = [row("a", {"words": ["sad"]}, {"words": ["sadness", "happy"]}), row("b", {"words": ["happy"]})]
    found = values("open_vocabulary", rows, primary="list_length")
    assert found["list_length"].value == 1.0
    assert next(score for name, score in found.items() if name.startswith("set_precision")).value == 0.25


def test_a_hit_is_any_word_of_the_list_on_the_label_s_wheel():
    words = [["joyful", "angry", "sad"], ["sad"], []]
    rows = [row(f"{k}", {"words": ["joy"]}, {"words": prediction}) for k, prediction in enumerate(words)]
    found = values("open_vocabulary", rows, ("joy", "anger"), metrics=["hit"], primary="list_length")
    (hit,) = (score for name, score in found.items() if name.startswith("hit_") and not name.endswith("neutral"))
    assert hit.value == pytest.approx(1 / 3) and found["list_length"].value == pytest.approx(4 / 3)
    assert all(task_of("open_vocabulary").describe(name) for name in found)


def test_truths_of_a_hit_are_the_labels(tmp_path):
    path = write_suite(tmp_path, kind="open_vocabulary", metrics=["hit"], primary="list_length")
    assert [sample.truth for sample in samples_of(path).samples][:2] == [{"words": ["joy"]}, {"words": ["anger"]}]
