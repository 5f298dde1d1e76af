"""Valence and arousal: of the verdict, read from text, and scored."""

import pytest
from evaluation.made import Writing, context_of, row, sample_input, values

from emoreason.evaluation.inputs import SampleInput


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Valence +0.50, arousal -0.10.", {"valence": 0.5, "arousal": -0.1}),
        ("Valence +1.50, arousal -0.10.", None),
    ],
)
def test_what_a_judge_writes_is_read_strictly(text, expected):
    one = sample_input("a", {"asked": "joy"})
    words = SampleInput(one.sample, one.record, None, None)
    (made,) = context_of("valence_arousal", Writing(text), input="words").predictions([words])
    assert made.prediction == expected and made.status == ("answered" if expected else "unparsable") and made.text == text


def test_valence_and_arousal():
    truth = [(-0.5, 0.1), (0.0, 0.3), (0.5, 0.2)]
    rows = [row(f"{k}", dict(zip(("valence", "arousal"), pair, strict=True))) for k, pair in enumerate(truth)]
    right = [one.model_copy(update={"prediction": one.truth, "status": "answered"}) for one in rows]
    assert values("valence_arousal", right, primary="mean_ccc")["mean_ccc"].value == pytest.approx(1)
    assert values("valence_arousal", rows, primary="mean_ccc")["mean_ccc"].value < 0.2
