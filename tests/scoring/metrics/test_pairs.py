"""Emotion-cause pairs and spans: hand-computed dialogues, the definitions of SemEval-2024 task 3 and RECCON."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoreason.scoring.metrics import pairs as p
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.pairs import Pair
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)
pair = st.builds(Pair, st.integers(1, 4), st.integers(1, 4), st.sampled_from(p.ECF_EMOTIONS))
dialogues = st.lists(st.tuples(st.sets(pair, min_size=1, max_size=5), st.sets(pair, max_size=5)), min_size=1, max_size=6)


def by_name(scores):
    return {score.metric: score for score in scores}


def test_pairs_by_hand():
    truth = [{Pair(1, 1, "joy"), Pair(2, 1, "anger")}, {Pair(3, 2, "joy")}]
    said = [[Pair(1, 1, "joy"), Pair(1, 1, "joy"), Pair(2, 1, "sadness")], None]
    scores = by_name(p.pair_scores(truth, said, protocol=FAST))
    bare, with_emotion, weighted = scores["pair_f1"], scores["emotion_pair_f1"], scores["emotion_pair_weighted_f1"]
    assert bare.parts == pytest.approx({"precision": 1.0, "recall": 2 / 3}) and bare.value == pytest.approx(0.8)
    assert with_emotion.value == pytest.approx(2 * 1 / (2 + 3)) and with_emotion.unanswered == 1
    # joy: 1 found, 1 named, 2 annotated -> 2/3, weight 2/3; anger 0, weight 1/3
    assert weighted.value == pytest.approx(2 / 3 * 2 / 3)
    assert weighted.parts["joy"] == pytest.approx(2 / 3) and weighted.parts["anger"] == 0 and weighted.parts["sadness"] == 0
    assert weighted.parts["fear"] is None and weighted.n == 2


@given(dialogues)
@settings(max_examples=50, deadline=None)
def test_bounds_and_naming_everything(rows):
    truth, said = (list(side) for side in zip(*rows, strict=True))
    scores = by_name(p.pair_scores(truth, said, protocol=FAST))
    assert all(score.value is None or 0 <= score.value <= 1 for score in scores.values())
    assert scores["emotion_pair_f1"].value <= scores["pair_f1"].value + 1e-9 or any(
        len({(x.effect, x.cause) for x in row}) < len(row) for row in (*truth, *said)
    )
    everything = [{Pair(e, c, emotion) for e in range(1, 5) for c in range(1, 5) for emotion in p.ECF_EMOTIONS}] * len(truth)
    every = by_name(p.pair_scores(truth, everything, protocol=FAST))["emotion_pair_f1"]
    assert every.parts["recall"] == 1 and every.value <= 2 * 5 / (5 + 96)  # at most 5 of the 96 are true
    right = by_name(p.pair_scores(truth, truth, protocol=FAST))["emotion_pair_weighted_f1"]
    assert right.value == pytest.approx(1)


def test_an_emotion_that_is_not_listed():
    score = by_name(p.pair_scores([{Pair(1, 1, "joy")}], [{Pair(1, 1, "love"), Pair(1, 1, "joy")}], protocol=FAST))
    assert score["emotion_pair_f1"].parts["precision"] == 0.5 and score["pair_f1"].value == 1
    with pytest.raises(ScoringError, match="'love'"):
        p.pair_scores([{Pair(1, 1, "love")}], [set()])


def test_spans_strict_and_proportional():
    truth = [{Pair(1, 1, "joy", (0, 4)), Pair(1, 1, "joy", (6, 8)), Pair(2, 1, "fear", (0, 2))}]
    said = [{Pair(1, 1, "joy", (2, 8)), Pair(2, 1, "fear", (0, 2)), Pair(3, 1, "joy", (0, 2))}]
    strict, proportional = p.span_pair_scores(truth, said, FAST)
    assert strict.parts == pytest.approx({"precision": 1 / 3, "recall": 1 / 3})
    # 2..8 covers half of 0..4 and all of 6..8: the second counts, with 2 tokens; named 6 + 2 + 2, annotated 4 + 2 + 2
    assert proportional.parts == pytest.approx({"precision": 4 / 10, "recall": 4 / 8})
    with pytest.raises(ScoringError, match="needs a span"):
        p.span_pair_scores([{Pair(1, 1, "joy")}], [set()])


def test_cause_spans():
    truth = ["I lost the job", "the red house", "", "", "gone"]
    said = ["lost the job!", "The red house.", "", "something", ""]
    scores = by_name(p.cause_span_scores(truth, said, FAST))
    assert scores["span_exact_match"].value == pytest.approx(1 / 3) and scores["span_exact_match"].n == 3
    assert scores["span_token_f1"].value == pytest.approx((2 * 2 / (3 + 2) + 1 + 0) / 3)
    assert scores["no_cause_f1"].parts == pytest.approx({"precision": 0.5, "recall": 0.5})
    assert scores["span_token_f1_all"].value == pytest.approx((0.8 + 1 + 1 + 0 + 0) / 5)


def test_unreadable_is_not_the_same_as_no_cause():
    none, unreadable = (by_name(p.cause_span_scores([""], [said], FAST)) for said in ("", None))
    assert none["no_cause_f1"].value == none["span_token_f1_all"].value == 1
    assert unreadable["no_cause_f1"].value == unreadable["span_token_f1_all"].value == 0
    assert unreadable["no_cause_f1"].unanswered == 1


def test_nothing_at_all():
    assert all(score.value is None for score in p.pair_scores([], []))
    assert all(score.value is None for score in p.pair_scores([set()], [set()]))
    assert all(score.value is None for score in (*p.span_pair_scores([], []), *p.cause_span_scores([], [])))
