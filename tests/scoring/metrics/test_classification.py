"""Closed labels: hand-computed cases, scikit-learn as the reference, properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from emoreason.scoring.metrics import classification as c
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.score import Protocol

LABELS = ("anger", "fear", "joy", "sadness")
FAST = Protocol(resamples=0)
samples = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40)
with_silence = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from((*LABELS, None, "happy"))), min_size=1, max_size=40)


def values(scores):
    return {score.metric: score.value for score in scores}


def test_hand_computed():
    truth = ["anger", "anger", "anger", "joy", "joy", "fear"]
    said = ["anger", "anger", "joy", "joy", None, "joy"]
    scores = {score.metric: score for score in c.classification_scores(truth, said, LABELS, FAST)}
    assert scores["war"].value == pytest.approx(3 / 6)
    assert scores["uar"].value == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)  # nobody is sad: left out
    f1 = {"anger": 4 / 5, "fear": 0, "joy": 2 / 5}  # joy: 1 right, 2 false, 1 missed
    assert scores["macro_f1"].value == pytest.approx(sum(f1.values()) / 3)
    assert scores["weighted_f1"].value == pytest.approx((3 * f1["anger"] + 2 * f1["joy"]) / 6)
    assert scores["war"].unanswered == 1 and scores["war"].n == 6
    assert scores["macro_f1"].parts == pytest.approx(f1 | {"sadness": None})


@given(samples)
@settings(max_examples=60, deadline=None)
def test_agrees_with_scikit_learn(pairs):
    truth, said = (list(side) for side in zip(*pairs, strict=True))
    ours = values(c.classification_scores(truth, said, LABELS, FAST))
    matrix = c.confusion(*c.encode(truth, said, LABELS), len(LABELS))
    assert (matrix[:, :-1] == confusion_matrix(truth, said, labels=LABELS)).all()
    assert ours["war"] == pytest.approx(accuracy_score(truth, said))
    present = sorted(set(truth))
    assert ours["uar"] == pytest.approx(c.mean_defined(c.recalls(confusion_matrix_of(truth, said))))
    if set(said) <= set(present) and len(present) > 1:  # scikit-learn warns otherwise
        assert ours["uar"] == pytest.approx(balanced_accuracy_score(truth, said))
    assert ours["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro", zero_division=0))
    assert ours["weighted_f1"] == pytest.approx(f1_score(truth, said, average="weighted", zero_division=0))


def confusion_matrix_of(truth, said):
    return np.pad(confusion_matrix(truth, said, labels=LABELS), ((0, 0), (0, 1)))


@given(with_silence, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_bounds_and_order_of_samples(pairs, random):
    truth, said = (list(side) for side in zip(*pairs, strict=True))
    ours = values(c.classification_scores(truth, said, LABELS, FAST))
    assert all(0 <= value <= 1 for value in ours.values())
    random.shuffle(pairs)
    truth, said = (list(side) for side in zip(*pairs, strict=True))
    assert values(c.classification_scores(truth, said, LABELS, FAST)) == pytest.approx(ours)


@given(samples)
@settings(max_examples=40, deadline=None)
def test_silence_is_never_better_than_any_answer(pairs):
    truth, said = (list(side) for side in zip(*pairs, strict=True))
    before = values(c.classification_scores(truth, said, LABELS, FAST))
    after = values(c.classification_scores(truth, [None, *said[1:]], LABELS, FAST))
    assert after["war"] <= before["war"] and after["uar"] <= before["uar"]


def test_a_word_of_another_set_is_wrong_and_counted():
    scores = c.classification_scores(["joy", "joy"], ["happiness", "joy"], LABELS, FAST)
    assert scores[0].value == 0.5 and scores[0].unanswered == 1


def test_no_samples_give_no_value():
    scores = c.classification_scores([], [], LABELS)
    assert [(s.value, s.n, s.interval) for s in scores] == [(None, 0, None)] * 4


def test_errors_name_what_is_wrong():
    with pytest.raises(ScoringError, match="'calm' is not among the labels"):
        c.classification_scores(["calm"], ["joy"], LABELS)
    with pytest.raises(ScoringError, match="2 truths, 1 answers"):
        c.classification_scores(["joy", "joy"], ["joy"], LABELS)
    with pytest.raises(ScoringError, match="different"):
        c.classification_scores(["joy"], ["joy"], ("joy", "joy"))


def test_micro_expressions_are_merged_and_pooled():
    truth = ["happiness", "disgust", "repression", "surprise"]
    said = ["positive", "contempt", "happiness", None]
    scores = {s.metric: s for s in c.micro_expression_scores(truth, said, FAST)}
    assert scores["uar"].value == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert scores["uf1"].parts == pytest.approx({"negative": 2 / 3, "positive": 2 / 3, "surprise": 0})
    assert scores["uf1"].unanswered == 1
    with pytest.raises(ScoringError, match="'others' is in none"):
        c.micro_expression_scores(["others"], ["surprise"])


def test_compound_expressions():
    truth, said = ["sadly angry", "sadly fearful"], ["sadly angry", "sadly angry"]
    (score,) = c.compound_scores(truth, said, protocol=FAST)
    assert score.value == pytest.approx((2 / 3 + 0) / 2) and score.metric == "compound_macro_f1"
