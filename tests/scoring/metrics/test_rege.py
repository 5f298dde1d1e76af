"""ROUGE-L and REGE: hand-computed points."""

import numpy as np
import pytest

from emoreason.scoring.metrics.rege import rege_au_scores, rege_emotion_scores, rouge_l
from emoreason.scoring.metrics.score import Protocol

FAST = Protocol(resamples=0)


def test_rouge_l_by_hand():
    assert rouge_l("The brows are lowered.", "the brows look lowered") == pytest.approx(2 * 3 / 8)
    assert rouge_l("same words", "Same, words!") == 1
    assert rouge_l("", "") == rouge_l("a", "") == 0


def test_rege_is_points_of_two_hundred():
    texts = ["a smile", "a frown"]
    (best,) = rege_emotion_scores(["joy", "anger"], ["joy", "anger"], texts, texts, FAST)
    assert best.value == 200 and best.unit == "points"
    (half,) = rege_emotion_scores(["joy", "anger"], ["joy", None], texts, [texts[0], None], FAST)
    assert half.parts == {"recognition": 50.0, "generation": 50.0} and half.value == 100 and half.unanswered == 1
    assert rege_emotion_scores([], [], [], [])[0].value is None


def test_rege_of_action_units():
    truth, said = np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 0], [0, 0]])
    (score,) = rege_au_scores(truth, said, ["x", "y"], ["x", "z"], FAST)
    assert score.parts == {"recognition": 50.0, "generation": 50.0} and score.value == 100
