"""Paired questions: what always saying yes is worth."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.hallucination import hallucination_scores
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)
said = st.sampled_from((True, False, None))


def values(basic, made_up):
    return {score.metric: score.value for score in hallucination_scores(basic, made_up, FAST)}


def test_by_hand():
    scores = {s.metric: s for s in hallucination_scores([True, True, False, None], [False, True, False, True], FAST)}
    assert scores["hallucination_overall"].value == 0.25 and scores["hallucination_overall"].unanswered == 1
    assert scores["hallucination_overall"].parts == {"basic": 0.5, "made_up": 0.5}
    assert scores["yes_bias"].value == pytest.approx((4 - 3) / 7)
    assert scores["false_yes"].value == pytest.approx(2 / 3)


def test_always_yes_and_always_no():
    assert values([True] * 4, [True] * 4) == {"hallucination_overall": 0, "yes_bias": 0.5, "false_yes": 1}
    assert values([False] * 4, [False] * 4) == {"hallucination_overall": 0, "yes_bias": -0.5, "false_yes": 0}
    assert values([True] * 4, [False] * 4) == {"hallucination_overall": 1, "yes_bias": 0, "false_yes": None}


@given(st.lists(st.tuples(said, said), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_both_right_is_at_most_either(pairs):
    basic, made_up = zip(*pairs, strict=True)
    overall = hallucination_scores(basic, made_up, FAST)[0]
    assert 0 <= overall.value <= min(overall.parts.values())


def test_no_pairs_and_half_pairs():
    assert set(values([], []).values()) == {None}
    assert values([None], [None]) == {"hallucination_overall": 0, "yes_bias": None, "false_yes": None}
    with pytest.raises(ScoringError, match="1 basic, 0 made_up"):
        hallucination_scores([True], [])
