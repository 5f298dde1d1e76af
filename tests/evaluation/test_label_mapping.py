"""The crosswalk read backwards."""

import pytest
from evaluation.made import face_suite

from emoreason.evaluation.label_mapping import label_mapping, most_likely

SUITE, RECIPE = face_suite()


def test_one_to_one_or_not_at_all():
    plain = label_mapping(RECIPE, {})
    assert plain.labels == ("joy", "anger", "fear", "neutral", "calm")
    assert plain.label_of == {"happiness": "joy", "anger": "anger", "fear": "fear"}
    assert plain.unreachable == ("neutral", "calm")


def test_merging_makes_them_one():
    merged = label_mapping(RECIPE, {"calm": "neutral"})
    assert merged.unreachable == () and merged.label_of["neutral"] == "neutral"
    assert [merged.label(word) for word in ("calm", "joy", "disgust", None)] == ["neutral", "joy", None, None]


def test_what_the_set_does_not_offer_is_left_out():
    of = label_mapping(RECIPE, {"calm": "neutral"}, only=["joy", "anger"])
    p = of.probabilities({"happiness": 0.1, "anger": 0.3, "contempt": 0.6})
    assert p == pytest.approx({"joy": 0.25, "anger": 0.75}) and most_likely(p) == "anger"
    assert of.probabilities({"contempt": 1.0}) is None and of.probabilities(None) is None


def test_labels_of_the_files_are_counted_as_the_suite_says():
    merged = label_mapping(RECIPE, {"calm": "neutral"}, only=["joy", "neutral"])
    assert merged.counted({"joy": 0.2, "calm": 0.1, "neutral": 0.1, "fear": 0.6}) == pytest.approx({"joy": 0.5, "neutral": 0.5})
    assert merged.counted({"fear": 1.0}) is None


def test_a_tie_is_no_answer():
    assert most_likely({"joy": 0.5, "anger": 0.5}) is None
    assert most_likely({"joy": 0.4, "anger": 0.35, "fear": 0.25}) == "joy"
