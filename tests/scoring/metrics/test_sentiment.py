"""Sentiment: MMSA's bins by hand, scikit-learn as the reference, unreadable numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, f1_score

from emoreason.scoring.metrics import sentiment as m
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)


def values(scores):
    return {score.metric: score.value for score in scores}


def test_mosi_by_hand():
    truth = [-3.0, -0.4, 0.0, 0.5, 1.5, 2.6]
    said = [-2.6, 0.2, -0.1, 0.5, 2.4, 3.7]
    ours = values(m.mosi_scores(truth, said, FAST))
    assert ours["acc2_has0"] == pytest.approx(4 / 6)  # -0.4 and 0 are on the wrong side
    assert ours["acc2_non0"] == pytest.approx(4 / 5)
    # halves go to the even number: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2
    assert ours["acc7"] == pytest.approx(6 / 6)
    assert ours["acc5"] == pytest.approx(6 / 6) and ours["acc3"] == pytest.approx(6 / 6)
    assert ours["mae"] == pytest.approx((0.4 + 0.6 + 0.1 + 0 + 0.9 + 1.1) / 6)


@given(arrays(float, 15, elements=st.floats(-3, 3, width=16)), arrays(float, 15, elements=st.floats(-4, 4, width=16)))
@settings(max_examples=60, deadline=None)
def test_mosi_agrees_with_scikit_learn(truth, said):
    ours = values(m.mosi_scores(truth, said, FAST))
    assert ours["acc2_has0"] == pytest.approx(accuracy_score(truth >= 0, said >= 0))
    assert ours["f1_has0"] == pytest.approx(f1_score(truth >= 0, said >= 0, average="weighted", zero_division=0))
    kept = truth != 0
    if kept.any():
        assert ours["acc2_non0"] == pytest.approx(accuracy_score(truth[kept] > 0, said[kept] > 0))
        assert ours["f1_non0"] == pytest.approx(f1_score(truth[kept] > 0, said[kept] > 0, average="weighted", zero_division=0))
    for limit, name in ((1, "acc3"), (2, "acc5"), (3, "acc7")):
        expected = np.mean(np.round(np.clip(truth, -limit, limit)) == np.round(np.clip(said, -limit, limit)))
        assert ours[name] == pytest.approx(expected)


@given(arrays(float, 15, elements=st.floats(-1, 1, width=16)), arrays(float, 15, elements=st.floats(-1, 1, width=16)))
@settings(max_examples=60, deadline=None)
def test_sims_bins_are_closed_on_the_right(truth, said):
    ours = values(m.sims_scores(truth, said, FAST))
    for bounds, name in (((0.0,), "acc2"), ((-0.1, 0.1), "acc3"), ((-0.7, -0.1, 0.1, 0.7), "acc5")):
        bins = ([sum(value > bound for bound in bounds) for value in side] for side in (truth, said))
        assert ours[name] == pytest.approx(accuracy_score(*bins))


def test_an_unreadable_number_is_wrong_everywhere():
    for truth in (-2.0, 0.0, 2.0):
        scores = {s.metric: s for s in m.mosi_scores([truth], [None], FAST)}
        assert scores["acc2_has0"].value == scores["acc7"].value == scores["f1_has0"].value == 0
        assert scores["mae"].value == 3 + abs(truth) and scores["mae"].unanswered == 1
    for truth in (-0.5, 0.0, 0.5):
        assert values(m.sims_scores([truth], [float("nan")], FAST))["acc2"] == 0


def test_only_zeros_leave_nothing_to_score_without_zero():
    scores = {s.metric: s for s in m.mosi_scores([0.0, 0.0], [0.1, -0.1])}
    assert (scores["acc2_non0"].value, scores["acc2_non0"].n) == (None, 0)
    assert scores["pearson"].value is None and scores["acc2_has0"].value == 0.5


def test_polarity_tells_how_often_neutral_fell_on_the_negative_side():
    truth, said = [1.0, -1.0, 0.0, -0.5, 2.0], ["positive", "neutral", "positive", None, "happy"]
    waf, accuracy = m.polarity_scores(truth, said, FAST)
    assert (waf.metric, accuracy.metric, accuracy.n) == ("polarity_waf", "polarity_acc", 4)
    assert accuracy.value == 0.5 and accuracy.unanswered == 2 and accuracy.parts == {"neutral": 0.25}
    assert waf.value == pytest.approx((2 * 2 / 3 + 2 * 2 / 3) / 4)


def test_errors():
    with pytest.raises(ScoringError, match="must lie in"):
        m.sims_scores([2.0], [0.0])
    with pytest.raises(ScoringError, match="must lie in"):
        m.mosi_scores([2.0], [float("inf")])
    with pytest.raises(ScoringError, match="missing or NaN"):
        m.mosi_scores([None], [0.0])
