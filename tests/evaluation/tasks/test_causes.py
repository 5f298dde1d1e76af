"""Emotion-cause pairs: read strictly, and scored."""

import pytest
from evaluation.made import Writing, context_of, row, sample_input, values

from emoreason.evaluation.inputs import SampleInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Utterance 3 because of 1 (joy); 4 because of 4.", {"pairs": [[3, 1, "joy"], [4, 4, None]]}),
        ("The first one.", None),
    ],
)
def test_what_a_judge_writes_is_read_strictly(text, expected):
    one = sample_input("a", {"asked": "joy"})
    words = SampleInput(one.sample, one.record, None, None)
    (made,) = context_of("causes", Writing(text), input="words").predictions([words])
    assert made.prediction == expected and made.status == ("answered" if expected else "unparsable") and made.text == text


def test_pairs():
    rows = [
        row("a", {"pairs": [[2, 1, "joy"]]}, {"pairs": [[2, 1, "joy"], [3, 3, "fear"]]}),
        row("b", {"pairs": [[1, 1, "anger"]]}, {"pairs": [[1, 1, "joy"]]}),
        row("c", {"pairs": []}),
    ]
    found = values("causes", rows, primary="pair_f1")
    assert found["pair_f1"].value == pytest.approx(2 * 2 / (3 + 2)) and found["pair_f1"].unanswered == 1
    assert found["emotion_pair_f1"].value == pytest.approx(2 * 1 / (3 + 2))
