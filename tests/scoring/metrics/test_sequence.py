"""Order of events: the longest common subsequence of two timelines."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoreason.scoring.metrics import sequence as s
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)
names = st.lists(st.sampled_from("abc"), max_size=6)


@given(names, names)
@settings(max_examples=80, deadline=None)
def test_lcs_agrees_with_trying_everything(a, b):
    common = {c for n in range(len(a) + 1) for c in itertools.combinations(a, n)} & {
        c for n in range(len(b) + 1) for c in itertools.combinations(b, n)
    }
    assert s.lcs_length(a, b) == s.lcs_length(b, a) == max(map(len, common))


def test_order_counts_and_not_only_names():
    truth = [("AU01", 0.0), ("AU12", 1.0), ("AU06", 2.0)]
    (right,) = s.event_order_scores([truth], [truth[::-1]], protocol=FAST)  # events may come in any order
    (swapped,) = s.event_order_scores([truth], [[("AU06", 0.0), ("AU12", 1.0), ("AU01", 2.0)]], protocol=FAST)
    assert right.value == 1 and swapped.value == pytest.approx(1 / 3)


def test_simultaneous_events_have_no_order():
    one, other = [("AU12", 1.0), ("AU06", 1.05)], [("AU06", 2.0), ("AU12", 2.05)]
    assert s.event_order_scores([one], [other], 0.0, FAST)[0].value == 0.5
    assert s.event_order_scores([one], [other], 0.1, FAST)[0].value == 1
    assert s.ordered([("b", 0.0), ("a", 0.2), ("c", 0.3)], 0.25) == ["a", "b", "c"]


def test_listing_every_event_loses_precision():
    truth, flood = [("a", 1.0)], [(name, k / 10) for k, name in enumerate("bcadefgh")]
    (score,) = s.event_order_scores([truth], [flood], protocol=FAST)
    assert score.parts == {"precision": 1 / 8, "recall": 1.0} and score.value == pytest.approx(2 / 9)


def test_nothing_told_and_nothing_to_tell():
    (score,) = s.event_order_scores([[("a", 1.0)], []], [None, []], protocol=FAST)
    assert (score.value, score.unanswered) == (0.0, 1)
    assert s.event_order_scores([[]], [[]])[0].value is None and s.event_order_scores([], [])[0].value is None
