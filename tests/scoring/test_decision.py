"""From probabilities to a label or none, and the pooled probabilities of several stretches."""

import numpy as np
import pytest

from emoreason.scoring.decision import MIN_CONFIDENCE, MIN_MARGIN, REST_WEIGHT, decide, pool, shown_weight

LABELS = tuple("abcdefgh")


def shares(*first: float) -> np.ndarray:
    """[8]: the first ones given, the rest alike."""
    rest = (1 - sum(first)) / (8 - len(first))
    return np.array([*first, *[rest] * (8 - len(first))])


def test_the_most_likely_label_is_named():
    assert decide(shares(0.1, 0.6), LABELS) == ("b", None)


@pytest.mark.parametrize("p", [shares(MIN_CONFIDENCE - 0.01), shares(0.45, 0.45 - MIN_MARGIN + 0.01)])
def test_an_unsure_or_close_call_names_none_and_says_which_two_it_is_between(p):
    label, reason = decide(p, LABELS)
    assert label is None and "a and b about equally" in reason


def test_the_bound_is_the_callers_and_scales_with_the_number_of_labels():
    p = shares(0.3)
    assert decide(p, LABELS)[0] is None and decide(p, LABELS, least_confidence=0.2) == ("a", None)
    many = np.array([0.2, *[0.8 / 15] * 15])
    assert decide(many, tuple(map(str, range(16)))) == ("0", None), "sixteen labels: half the confidence will do"


def test_pooling_is_a_weighted_geometric_mean():
    one, other = np.array([0.8, 0.2]), np.array([0.2, 0.8])
    np.testing.assert_allclose(pool([one, other], [1.0, 1.0]), [0.5, 0.5])
    np.testing.assert_allclose(pool([one, other], [3.0, 1.0]), [2 / 3, 1 / 3], atol=1e-9)
    np.testing.assert_allclose(pool([one, None, other], [1.0, 5.0, 0.0]), one)
    assert pool([None, one], [1.0, 0.0]) is None and pool([], []) is None


def test_a_certain_zero_does_not_decide_alone():
    p = pool([np.array([1.0, 0.0]), np.array([0.3, 0.7])], [0.1, 1.0])
    assert p[1] > 0.3


def test_what_shows_nothing_weighs_little():
    assert shown_weight(0.0) == 1.0 and shown_weight(1.0) == pytest.approx(REST_WEIGHT) and shown_weight(0.5) < 0.5
