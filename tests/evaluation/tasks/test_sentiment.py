"""Sentiment: words, numbers, and the figures of its benchmarks."""

import pytest
from evaluation.made import SMILE, context_of, row, sample_input, values

from emoreason.errors import ConfigError


def test_sentiment_is_that_of_the_verdict():
    one = sample_input("a", {}, people=SMILE)
    (sentiment,), (affect,) = (context_of(kind).predictions([one]) for kind in ("sentiment", "valence_arousal"))
    assert sentiment.prediction["label"] == "positive" and sentiment.prediction["score"] == affect.prediction["valence"] > 0.15


def test_sentiment_words_and_numbers():
    rows = [
        row("a", {"label": "positive", "score": 0.5}, {"label": "positive", "score": 0.5}),
        row("b", {"label": "negative", "score": None}, {"label": "neutral", "score": 0.0}),
        row("c", {"label": None, "score": -1.0}),
    ]
    found = values("sentiment", rows)
    assert found["war"].value == 0.5 and found["war"].n == 2
    assert found["mae"].value == 1.0 and found["mae"].n == 2  # no answer is as far from -1 as can be


MOODS = [
    row(f"{k}", {"label": None, "score": true}, {"label": word, "score": prediction})
    for k, (true, prediction, word) in enumerate([(1.0, 0.9, "positive"), (-2 / 3, -0.6, "negative"), (0.0, -0.1, "neutral")])
]


def test_mosi_is_scored_on_its_own_scale():
    found = values("sentiment", MOODS, metrics=["mosi"], primary="mosi_mae")
    assert found["mosi_mae"].value == pytest.approx((0.3 + 0.2 + 0.3) / 3) and found["mosi_acc7"].value == 1.0
    assert found["mosi_acc2_non0"].n == 2 and "mae" in found


def test_polarity_leaves_zeros_out():
    found = values("sentiment", MOODS, metrics=["polarity"], primary="polarity_waf")
    assert found["polarity_waf"].value == 1.0 and found["polarity_waf"].n == 2


def test_nothing_to_score_is_said():
    with pytest.raises(ConfigError, match="metrics 'mosi': no sample"):
        values(
            "sentiment", [row("a", {"label": "positive", "score": None}, {"label": "positive", "score": 0.1})], metrics=["mosi"]
        )
