"""Calibration: what is chosen from votes that are known, and of a toy run."""

import numpy as np
from scipy.special import log_softmax

from emoreason.labels.emotions import EMOTIONS
from emoreason.model.fusion import Source
from emoreason.training.calibration import KEPT, Votes, calibrate, confidence_threshold

K = len(EMOTIONS)


def made(sure: float, right: float, n: int = 800, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """log p [n, K] of a source that is right in a share `right` of clips and always says so with the same confidence; truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(K, size=n)
    other = (truth + rng.integers(1, K, size=n)) % K
    said = np.where(rng.random(n) < right, truth, other)
    logits = np.zeros((n, K))
    logits[np.arange(n), said] = sure
    return log_softmax(logits, axis=1), truth


def test_an_overconfident_language_model_is_cooled():
    language, truth = made(sure=12.0, right=0.6)
    settings, measured = calibrate(Votes(language, {}, truth, ["faces"] * len(truth)))
    scale = settings["weights"]["language"] / settings["temperature"]
    assert scale < 0.5 and measured["cross_entropy"] < measured["cross_entropy_before"]
    assert measured["ece"] < 0.05 and abs(measured["accuracy"] - 0.6) < 0.05


def test_the_better_source_gets_the_greater_weight():
    language, truth = made(sure=2.0, right=0.3)
    face, _ = made(sure=2.0, right=0.8)
    everywhere = np.ones(len(truth), bool)
    told = Votes(language, {"emotion": Source(EMOTIONS, face, 1.0, everywhere)}, truth, ["faces"] * len(truth))
    settings, measured = calibrate(told)
    assert settings["weights"]["emotion"] > 2 * settings["weights"]["language"] / settings["temperature"]
    assert measured["accuracy"] > 0.75
    assert measured["accuracy_emotion"] > measured["accuracy_language"]


def test_a_weight_that_the_run_sets_stays_and_the_others_are_found_beside_it():
    language, truth = made(sure=2.0, right=0.3)
    face, _ = made(sure=2.0, right=0.8)
    everywhere = np.ones(len(truth), bool)
    heads = {name: Source(EMOTIONS, face, 1.0, everywhere) for name in ("emotion", "voice_emotion")}
    told = Votes(language, heads, truth, ["faces"] * len(truth))
    free, _ = calibrate(told)
    settings, _ = calibrate(told, {"emotion": 0.25, "words_emotion": 0.4})
    assert settings["weights"]["emotion"] == 0.25 and settings["weights"]["words_emotion"] == 0.4
    assert settings["weights"]["voice_emotion"] > free["weights"]["voice_emotion"] > 0.25  # one makes up for the other


def test_parts_and_emotions_count_alike():
    truth = np.array([0, 0, 0, 1, 2])
    told = Votes(np.zeros((5, K)), {}, truth, ["faces"] * 4 + ["voices"])
    np.testing.assert_allclose(told.balance(), np.array([1 / 12, 1 / 12, 1 / 12, 1 / 4, 1 / 2]))


def test_the_threshold_keeps_most_right_answers_and_drops_wrong_ones():
    sure, truth = made(sure=4.0, right=1.0)
    doubt, other = made(sure=0.5, right=0.3, seed=1)
    log_p, both = np.concatenate([sure, doubt[:60]]), np.concatenate([truth, other[:60]])
    threshold = confidence_threshold(log_p, both)
    confident, right = np.exp(log_p).max(1) >= threshold, log_p.argmax(1) == both
    assert right[confident].sum() >= KEPT * right.sum()
    assert right[confident].mean() > right.mean()
