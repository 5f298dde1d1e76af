"""Valence and arousal: hand-computed concordance, scipy as the reference, unreadable numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr
from sklearn.metrics import root_mean_squared_error

from emoreason.scoring.metrics import affect as a
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)
vectors = arrays(float, 12, elements=st.floats(-1, 1, width=16))


def test_ccc_by_hand():
    truth, said = np.array([0.0, 0.2, 0.4]), np.array([0.1, 0.3, 0.5])
    variance = 0.08 / 3
    assert a.ccc(truth, said) == pytest.approx(2 * variance / (2 * variance + 0.01))
    assert a.ccc(truth, truth) == pytest.approx(1)
    assert a.ccc(truth, 0.4 - truth) == pytest.approx(-1)


@given(vectors, vectors)
@settings(max_examples=60, deadline=None)
def test_bounds_and_references(truth, said):
    value = a.ccc(truth, said)
    assert np.isnan(value) or -1 - 1e-9 <= value <= 1 + 1e-9
    assert a.rmse(truth, said) == pytest.approx(root_mean_squared_error(truth, said))
    assert a.mae(truth, said) <= a.rmse(truth, said) + 1e-12
    correlation = a.pearson(truth, said)
    if min(truth.std(), said.std()) > 1e-3:
        assert correlation == pytest.approx(pearsonr(truth, said).statistic, abs=1e-9)
        assert abs(value) <= abs(correlation) + 1e-9  # concordance never exceeds correlation


def test_sagr_has_a_sign_for_zero():
    assert a.sagr(np.array([0.5, -0.5, 0.0, 0.2]), np.array([0.1, 0.1, 0.0, 0.0])) == 0.5


def test_constant_answers():
    truth = np.array([0.1, 0.5])
    assert a.ccc(truth, np.full(2, 0.3)) == 0
    assert np.isnan(a.ccc(np.full(2, 0.3), np.full(2, 0.3)))
    assert np.isnan(a.pearson(truth, np.full(2, 0.3)))


def test_an_unreadable_number_is_as_wrong_as_can_be():
    assert a.farthest(np.array([0.5, -0.5, 0.0]), np.full(3, np.nan), -1, 1).tolist() == [-1, 1, -1]
    truth = {"valence": [0.5, -0.5, 0.3]}
    silent = {s.metric: s for s in a.affect_scores(truth, {"valence": [None, -0.5, 0.3]}, FAST)}
    assert silent["valence_rmse"].value == pytest.approx(np.sqrt(1.5**2 / 3)) and silent["valence_rmse"].unanswered == 1
    for guess in (-1.0, 0.0, 1.0):  # no guess does worse
        guessed = {s.metric: s for s in a.affect_scores(truth, {"valence": [guess, -0.5, 0.3]}, FAST)}
        assert guessed["valence_rmse"].value <= silent["valence_rmse"].value
        assert guessed["valence_ccc"].value >= silent["valence_ccc"].value


def test_mean_ccc_over_both_dimensions():
    truth = {"valence": [0.1, 0.2, 0.9], "arousal": [0.3, -0.2, 0.0]}
    said = {"valence": truth["valence"], "arousal": [0.3, 0.3, 0.3]}
    scores = {s.metric: s for s in a.affect_scores(truth, said, Protocol(resamples=20))}
    assert scores["mean_ccc"].value == pytest.approx(0.5)
    assert scores["mean_ccc"].parts == pytest.approx({"valence_ccc": 1.0, "arousal_ccc": 0.0})
    assert scores["arousal_pearson"].value is None


def test_no_samples_and_errors():
    assert all(s.value is None and s.n == 0 for s in a.affect_scores({"valence": []}, {"valence": []}))
    with pytest.raises(ScoringError, match="must lie in"):
        a.affect_scores({"valence": [0.0]}, {"valence": [3.0]})
    with pytest.raises(ScoringError, match="missing or NaN"):
        a.affect_scores({"valence": [float("nan")]}, {"valence": [0.0]})
    with pytest.raises(ScoringError, match="same dimensions"):
        a.affect_scores({"valence": [0.0]}, {"arousal": [0.0]})
    with pytest.raises(ScoringError, match="2 true valence, 1 predicted valence"):
        a.affect_scores({"valence": [0.0, 0.1]}, {"valence": [0.0]})
