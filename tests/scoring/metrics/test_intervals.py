"""Bootstrap: by group, repeatable, paired."""

import numpy as np
import pytest

from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.classification import classification_scores
from emoreason.scoring.metrics.intervals import bootstrap, paired_difference
from emoreason.scoring.metrics.score import Failures, Protocol, measure

RNG = np.random.default_rng(5)


def mean(values):
    return float(values.mean())


def agreement(truth, said):
    return float((truth == said).mean())


def test_interval_of_a_mean_is_that_of_the_normal_approximation():
    values = RNG.normal(3.0, 2.0, 400)
    low, high = bootstrap(mean, [values], resamples=2000)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.04) and high == pytest.approx(values.mean() + half, abs=0.04)


def test_same_seed_same_interval_and_rows_of_a_group_in_any_order():
    values, groups = RNG.normal(size=60), np.arange(60) % 6
    order = RNG.permutation(60)
    first = bootstrap(mean, [values], groups, 200, seed=1)
    assert bootstrap(mean, [values], groups, 200, seed=1) == first
    assert bootstrap(mean, [values[order]], groups[order], 200, seed=1) == pytest.approx(first)
    assert bootstrap(mean, [values], groups, 200, seed=2) != first


def test_groups_widen_the_interval_where_members_are_alike():
    groups = np.repeat(np.arange(20), 30)
    values = RNG.normal(size=20)[groups] + 0.1 * RNG.normal(size=600)
    alone, together = bootstrap(mean, [values]), bootstrap(mean, [values], groups)
    assert together[1] - together[0] > 3 * (alone[1] - alone[0])


def test_no_interval_where_nothing_can_vary():
    assert bootstrap(mean, [np.ones(5)], ["a"] * 5) is None
    assert bootstrap(mean, [np.ones(1)]) is None
    assert bootstrap(mean, [np.ones(0)]) is None
    assert bootstrap(lambda values: float("nan"), [np.ones(9)], resamples=20) is None
    with pytest.raises(ScoringError, match="one group for each sample"):
        bootstrap(mean, [np.ones(3)], ["a"])


def test_paired_difference_is_sharper_than_two_intervals():
    truth = RNG.integers(2, size=300)
    good = np.where(RNG.random(300) < 0.8, truth, 1 - truth)
    worse = np.where(RNG.random(300) < 0.05, 1 - good, good)  # the same errors and a few more
    found = paired_difference(agreement, [truth], good, worse)
    assert found.value == pytest.approx(agreement(truth, good) - agreement(truth, worse))
    assert found.n == 300 and found.interval[0] <= found.value <= found.interval[1]
    alone = bootstrap(agreement, [truth, good])
    assert found.interval[1] - found.interval[0] < alone[1] - alone[0]


def test_paired_difference_is_antisymmetric_and_zero_for_the_same():
    truth, a, b = RNG.integers(3, size=(3, 80))
    forth, back = paired_difference(agreement, [truth], a, b), paired_difference(agreement, [truth], b, a)
    assert forth.value == -back.value and forth.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert forth.better == pytest.approx(1 - back.better)
    same = paired_difference(agreement, [truth], a, a)
    assert (same.value, same.interval, same.better) == (0.0, (0.0, 0.0), 0.5)


def test_nothing_to_compare():
    empty = np.zeros(0)
    found = paired_difference(agreement, [empty], empty, empty)
    assert (found.value, found.interval, found.better, found.n) == (None, None, None, 0)


def test_score_carries_protocol_groups_and_failures():
    protocol = Protocol("toy/test", groups=["a", "a", "b", "b"], failures=Failures(no_face=1), resamples=50)
    score = classification_scores(["x", "y", "x", "y"], ["x", "y", None, "y"], ("x", "y"), protocol)[0]
    told = score.to_dict()
    assert told["id"] == "war@toy/test" and told["value"] == 0.75 and told["n"] == 4
    assert told["failures"] == {"unparsable": 0, "no_face": 1, "no_speech": 0} and told["unanswered"] == 1
    assert told["interval"] == [0.5, 1.0]


def test_counted_rows_take_their_groups_along():
    counted = np.array([True, True, False, False])
    score = measure("m", mean, [np.array([0.0, 1.0, 9.0, 9.0])], Protocol(groups=list("abcd"), resamples=50), counted=counted)
    assert (score.value, score.n) == (0.5, 2) and score.interval == (0.0, 1.0)
