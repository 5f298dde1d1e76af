"""Confidence: hand-computed bins, scikit-learn's Brier score, what abstaining buys."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from emoreason.scoring.metrics import calibration as c
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)
answers = st.lists(st.tuples(st.floats(0, 1, width=16), st.booleans()), min_size=1, max_size=30)


def columns(pairs):
    sure, right = zip(*pairs, strict=True)
    return np.array(sure), np.array(right, dtype=float)


def test_ece_by_hand():
    sure, right = np.array([0.95, 0.85, 0.3, 0.25]), np.array([1.0, 0, 1, 0])
    # two bins: (0, 0.5] says 0.275 and is right in 0.5; (0.5, 1] says 0.9 and is right in 0.5
    assert c.ece(sure, right, bins=2) == pytest.approx((2 * 0.225 + 2 * 0.4) / 4)
    assert c.ece(np.full(10, 0.7), np.array([1.0] * 7 + [0] * 3)) == pytest.approx(0)
    assert np.isnan(c.ece(np.zeros(0), np.zeros(0)))


def test_reliability_bins_hold_everybody_once():
    bins = c.reliability(np.array([0.0, 0.1, 0.5, 1.0]), np.array([0.0, 1, 1, 1]), bins=10)
    assert [b.n for b in bins] == [2, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert (bins[0].confidence, bins[0].accuracy, bins[1].confidence) == (pytest.approx(0.05), 0.5, None)
    assert (bins[-1].low, bins[-1].high) == (0.9, 1.0)


@given(st.lists(st.tuples(st.floats(0, 1, width=16), st.integers(0, 1)), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_brier_agrees_with_scikit_learn(pairs):
    p, truth = np.array([p for p, _ in pairs]), np.array([y for _, y in pairs])
    ours = c.brier(np.stack([1 - p, p], 1), truth)
    assert ours == pytest.approx(2 * brier_score_loss(truth, p, pos_label=1))  # both classes count
    assert 0 <= ours <= 2


def test_risk_coverage_by_hand():
    curve = c.risk_coverage(np.array([0.9, 0.8, 0.8, 0.1]), np.array([1, 1, 0, 0]))
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.1]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0] and curve.risk == pytest.approx([0, 1 / 3, 0.5])
    assert curve.area == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.5)


@given(answers, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_bounds_and_order_of_samples(pairs, random):
    sure, right = columns(pairs)
    curve = c.risk_coverage(sure, right)
    assert curve.coverage[-1] == 1 and curve.risk[-1] == pytest.approx(1 - right.mean())
    assert -1e-9 <= curve.area <= 1 + 1e-9 and 0 <= c.ece(sure, right) <= 1
    random.shuffle(pairs)
    again = columns(pairs)
    assert c.risk_coverage(*again).area == pytest.approx(curve.area) and c.ece(*again) == pytest.approx(c.ece(sure, right))


@given(answers, st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_threshold_keeps_its_promise_and_gives_nothing_away(pairs, risk):
    sure, right = columns(pairs)
    threshold = c.abstention_threshold(sure, right, risk)
    allowed = [t for t in np.unique(sure) if 1 - right[sure >= t].mean() <= risk + 1e-12]
    assert threshold is None if not allowed else threshold == min(allowed)


def test_constant_confidence_tells_nothing():
    right = np.array([1.0, 0, 1, 0])
    curve = c.risk_coverage(np.full(4, 0.5), right)
    assert curve.area == 0.5 and c.abstention_threshold(np.full(4, 0.5), right, 0.4) is None


def test_sure_where_right_is_best():
    right = np.array([1.0] * 6 + [0.0] * 4)
    best = c.risk_coverage(np.linspace(1, 0, 10), right).area
    assert best < c.risk_coverage(np.full(10, 0.5), right).area < c.risk_coverage(np.linspace(0, 1, 10), right).area


def test_scores_and_errors():
    table = np.array([[0.9, 0.1], [0.4, 0.6]])
    scores = {s.metric: s.value for s in c.calibration_scores([0.9, 0.6], [True, False], table, [0, 0], FAST)}
    assert scores["brier"] == pytest.approx((2 * 0.01 + 2 * 0.36) / 2) and scores["aurc"] == pytest.approx(0.25)
    assert scores["ece"] == pytest.approx((0.1 + 0.6) / 2)
    assert all(s.value is None for s in c.calibration_scores([], [], np.zeros((0, 2)), []))
    with pytest.raises(ScoringError, match=r"in \[0, 1\]"):
        c.calibration_scores([float("nan")], [True])
    with pytest.raises(ScoringError, match="sum to 1"):
        c.calibration_scores([0.5], [True], np.array([[0.5, 0.9]]), [0])
    with pytest.raises(ScoringError, match="places among"):
        c.calibration_scores([0.5], [True], np.array([[0.5, 0.5]]), [2])
    with pytest.raises(ScoringError, match="share of wrong answers"):
        c.abstention_threshold(np.ones(1), np.ones(1), 5)
