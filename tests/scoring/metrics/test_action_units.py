"""Action units: F1 against scikit-learn, ICC against an analysis of variance, what nobody coded, what nobody answered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score

from emoreason.labels.action_units import ACTION_UNITS
from emoreason.scoring.metrics import action_units as u
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)
AUS = ("AU01", "AU04", "AU12")
tables = arrays(int, (8, 3), elements=st.integers(0, 1))


def test_sets_have_their_names_sizes_and_only_known_units():
    assert {name: len(aus) for name, aus in u.AU_SETS.items()} == {
        "disfa8": 8, "bp4d12": 12, "ckplus16": 16, "disfa12": 12, "affwild2_12": 12
    }  # fmt: skip
    assert all(set(aus) <= set(ACTION_UNITS) for aus in u.AU_SETS.values())


@given(tables, tables)
@settings(max_examples=60, deadline=None)
def test_f1_agrees_with_scikit_learn(truth, said):
    ours = u.f1s(truth.astype(float), said.astype(float))
    for unit in range(3):
        if truth[:, unit].any():
            assert ours[unit] == pytest.approx(f1_score(truth[:, unit], said[:, unit], zero_division=0))
        else:
            assert np.isnan(ours[unit])
    by_sample = u.sample_f1(truth.astype(float), said.astype(float))
    assert by_sample == pytest.approx(f1_score(truth, said, average="samples", zero_division=1))


@given(tables, tables)
@settings(max_examples=40, deadline=None)
def test_no_answer_is_never_better_than_an_answer(truth, said):
    truth, said = truth.astype(float), said.astype(float)
    silent = said.copy()
    silent[0] = np.nan
    if truth.any():
        assert u.mean_f1(truth, silent) <= u.mean_f1(truth, said) + 1e-12


def test_naming_every_unit_does_not_win():
    truth = u.present([{"AU12"}, {"AU04"}, set(), {"AU01", "AU04"}], AUS)
    everything, right = np.ones_like(truth), truth
    assert u.mean_f1(truth, everything) < 0.7 < u.mean_f1(truth, right) == 1.0


def test_uncoded_units_are_neither_right_nor_wrong():
    truth = u.present([{"AU12"}, {"AU12"}], AUS, coded=[{"AU12"}, {"AU12", "AU04"}])
    assert np.isnan(truth[0, :2]).all() and np.isnan(truth[1, 0]) and truth[1, 1] == 0
    said = u.present([{"AU01", "AU04", "AU12", "AU99"}, None], AUS)
    assert u.counts(truth, said).tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 1]]
    score = u.au_scores(truth, said, AUS, "toy", FAST)[0]
    assert score.parts == {"AU01": None, "AU04": None, "AU12": pytest.approx(2 / 3)}
    assert score.unanswered == 1 and score.value == pytest.approx(2 / 3)


def test_icc_of_shrout_and_fleiss():
    """Two of the four raters of their table 2 (judges 1 and 4), computed by an analysis of variance."""
    one, four = np.array([9, 6, 8, 7, 10, 6.0]), np.array([8, 2, 6, 1, 5, 2.0])
    both = np.stack([one, four], 1)
    rows, columns, grand = both.mean(1, keepdims=True), both.mean(0), both.mean()
    bms = 2 * ((rows - grand) ** 2).sum() / 5
    ems = ((both - rows - columns + grand) ** 2).sum() / 5
    assert u.icc31(one, four) == pytest.approx((bms - ems) / (bms + ems))


def test_icc_ignores_a_constant_offset_and_knows_the_extremes():
    values = np.array([0.0, 1, 3, 5])
    assert u.icc31(values, values + 1) == pytest.approx(1)
    assert u.icc31(values, 5 - values) == pytest.approx(-1)
    assert np.isnan(u.icc31(np.ones(3), np.ones(3))) and np.isnan(u.icc31(values[:1], values[:1]))


@given(arrays(float, 9, elements=st.integers(0, 5)), arrays(float, 9, elements=st.integers(0, 5)))
@settings(max_examples=40, deadline=None)
def test_icc_is_symmetric_and_bounded(a, b):
    value = u.icc31(a, b)
    assert np.isnan(value) or (-1 - 1e-9 <= value <= 1 + 1e-9 and value == pytest.approx(u.icc31(b, a)))


def test_intensities():
    truth = np.array([[0, 5.0, np.nan], [2, 0, np.nan], [4, 1, np.nan]])
    said = np.array([[0, 4.0, 1], [2, 0, 1], [np.nan, 1, 1]])
    icc, error = u.intensity_scores(truth, said, AUS, protocol=FAST)
    assert error.parts == {"AU01": pytest.approx(4 / 3), "AU04": pytest.approx(1 / 3), "AU12": None}
    assert error.value == pytest.approx((4 / 3 + 1 / 3) / 2) and error.unanswered == 1 and error.unit == "scale"
    assert icc.parts["AU12"] is None and icc.value == pytest.approx((icc.parts["AU01"] + icc.parts["AU04"]) / 2)
    assert u.intensity_scores(truth / 5, said / 5, AUS, highest=1.0, protocol=FAST)[1].value == pytest.approx(error.value / 5)


def test_no_samples_and_errors():
    empty = np.zeros((0, 3))
    assert [s.value for s in u.au_scores(empty, empty, AUS)] == [None, None]
    with pytest.raises(ScoringError, match=r"\[samples, 3 units\]"):
        u.au_scores(np.zeros((2, 2)), np.zeros((2, 2)), AUS)
    with pytest.raises(ScoringError, match="0 or 1"):
        u.au_scores(np.full((1, 3), 0.5), np.zeros((1, 3)), AUS)
    with pytest.raises(ScoringError, match=r"answers must be in \[0, 5\]"):
        u.intensity_scores(np.zeros((1, 3)), np.full((1, 3), 7.0), AUS)


def test_interval_over_subjects():
    rng = np.random.default_rng(0)
    truth = (rng.random((90, 3)) < 0.4).astype(float)
    said = np.where(rng.random((90, 3)) < 0.8, truth, 1 - truth)
    score = u.au_scores(truth, said, AUS, protocol=Protocol(groups=list(np.arange(90) // 9), resamples=200))[0]
    assert score.interval[0] < score.value < score.interval[1]
