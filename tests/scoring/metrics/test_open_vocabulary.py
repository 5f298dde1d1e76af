"""Emotion wheels: toy tables with every oddity, the published ones where they are, and that long lists do not win."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoreason.errors import ConfigError
from emoreason.labels.emotions import canonical
from emoreason.scoring.metrics import open_vocabulary as ov
from emoreason.scoring.metrics.checks import ScoringError
from emoreason.scoring.metrics.score import Protocol
from emoreason.scoring.metrics.small_wheel import SMALL_WHEEL
from emoreason.scoring.metrics.wheels import Wheel, WheelTables, listed, read_tables, small_tables

PUBLISHED = Path(os.environ.get("EMOREASON_DATA", "../shared/data")) / "emotion_wheels"
FAST = Protocol(resamples=0)
WORDS = sorted(small_tables().forms)
TOY = WheelTables(
    "toy",
    forms={"joyful": ("joy",), "joys": ("joy",), "joy": ("joy",), "mad": ("mad",), "mads": ("crazy", "mad"), "sad": ("sad",)},
    classes={"joy": ("cheerful", "happy"), "mad": ("angry",), "crazy": ("amused",), "sad": ("sad",)},
    wheels=(
        Wheel({"happy": "happy", "angry": "angry", "sad": "sad"}, {}),
        Wheel({"cheerful": "good", "angry": "bad", "amused": "good"}, {}),
    ),
)


def values(scores):
    return {score.metric: score.value for score in scores}


def test_words_go_to_the_first_way_in_alphabetical_order():
    one, two = TOY.normalisers()
    assert one == {"joyful": "happy", "joys": "happy", "joy": "happy", "mad": "angry", "mads": "angry", "sad": "sad"}
    assert two == {"joyful": "good", "joys": "good", "joy": "good", "mad": "bad", "mads": "good"}  # amused < angry


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("['happy', 'at ease']", ["happy", "at ease"]),
        ("happy，sad、 Angry", ["happy", "sad", "angry"]),
        ('["Happy", "happy "]', ["happy"]),
        ("", []),
        (None, []),
        (["Joy", " joy", ""], ["joy"]),
    ],
)
def test_lists_as_text(text, words):
    assert listed(text) == words


def test_set_f_by_hand():
    truth, said = [["joy", "sad"], ["mad"], ["nothing known"]], [["joyful", "joys"], ["sad"], ["joy"]]
    score = ov.set_scores(truth, said, TOY, protocol=FAST)[0]
    # wheel 1: precision (1 + 0) / 2, recall (1/2 + 0) / 2; wheel 2: "sad" is not on it: precision (1 + 0) / 2, recall (1 + 0) / 2
    first, second = 2 * 0.5 * 0.25 / 0.75, 0.5
    assert score.parts["wheel1"] == pytest.approx(first) and score.parts["wheel2"] == pytest.approx(second)
    assert score.value == pytest.approx((first + second) / 2) and score.n == 2
    assert score.parts["precision"] == pytest.approx(0.5) and score.parts["recall"] == pytest.approx(0.375)


def test_nothing_right_is_zero_and_not_a_division_by_zero():
    assert ov.set_scores([["joy"]], [["mad"]], TOY, protocol=FAST)[0].value == 0
    assert ov.set_scores([["joy"]], [["of no wheel"]], TOY, protocol=FAST)[0].value == 0


def test_neutral_is_skipped_by_the_protocol_and_told_beside_it():
    truth, said = ["joy", "neutral", "neutral", "neutral"], [["joy"], ["mad"], ["neutral"], None]
    scores = {s.metric: s for s in ov.hit_scores(truth, said, ("joy", "neutral", "mad"), TOY, FAST)}
    assert (scores["hit_toy"].value, scores["hit_toy"].n, scores["hit_toy"].parts["skipped"]) == (1.0, 1, 0.75)
    assert (scores["hit_toy_with_neutral"].value, scores["hit_toy_with_neutral"].n) == (0.5, 4)
    alarm = scores["neutral_false_alarm"]
    assert (alarm.value, alarm.n, alarm.unanswered) == (pytest.approx(2 / 3), 3, 1)


def test_listing_every_word_always_hits_and_loses_in_all_that_stands_beside_it():
    truth = ["anger", "fear", "happiness", "sadness", "neutral"]
    labels = (*truth, "surprise")
    good = values(ov.hit_scores(truth, [[word] for word in truth], labels, protocol=FAST))
    every = values(ov.hit_scores(truth, [[*WORDS, "neutral"]] * 5, labels, protocol=FAST))
    assert every["hit_small"] == good["hit_small"] == 1 and every["hit_small_with_neutral"] == 1
    for name in ("mscore_small", "set_precision_small_inner", "ew_set_f_small_inner_with_neutral"):
        assert every[name] < 0.4 < good[name] == 1
    assert every["neutral_false_alarm"] == 1 and good["neutral_false_alarm"] == 0
    assert every["list_length"] == len(WORDS) + 1 and good["list_length"] == 1


@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), min_size=1, max_size=8), st.data())
@settings(max_examples=50, deadline=None)
def test_bounds_order_and_long_lists(truth, data):
    said = [data.draw(st.lists(st.sampled_from([*WORDS, "xyzzy"]), max_size=4)) for _ in truth]
    before = values(ov.set_scores(truth, said, protocol=FAST))
    assert 0 <= before["ew_set_f_small_inner"] <= 1
    order = data.draw(st.permutations(range(len(truth))))
    after = values(ov.set_scores([truth[k][::-1] for k in order], [said[k][::-1] for k in order], protocol=FAST))
    assert after == pytest.approx(before)
    perfect = ov.set_scores(truth, truth, protocol=FAST)[0].value
    everything = ov.set_scores(truth, [WORDS] * len(truth), protocol=FAST)[0].value
    assert everything < perfect == 1  # at most 3 of the 7 inner words are true


def test_silence_is_no_better_than_a_wrong_word():
    silent, wrong = (values(ov.set_scores([["joy"], ["sad"]], [x, ["sad"]], protocol=FAST)) for x in (None, ["fear"]))
    assert silent["ew_set_f_small_inner"] == wrong["ew_set_f_small_inner"]
    assert ov.set_scores([["joy"]], [None], protocol=FAST)[0].unanswered == 1


def test_no_samples_and_errors():
    assert all(score.value is None for score in ov.set_scores([], [], protocol=FAST))
    assert all(score.value is None for score in ov.hit_scores([], [], ("joy",)))
    with pytest.raises(ScoringError, match="'calm' is not among the candidates"):
        ov.hit_scores(["calm"], [["calm"]], ("joy",))
    with pytest.raises(ConfigError, match="not 'outer'"):
        ov.set_scores([["joy"]], [["joy"]], level="outer")
    with pytest.raises(ConfigError, match="format.csv.*missing"):
        read_tables(Path("nowhere"))


def test_a_damaged_table_is_named(tmp_path):
    for name in ("synonym.xlsx", *(f"wheel{k}.xlsx" for k in range(1, 6))):
        (tmp_path / name).write_bytes(b"no sheet")
    (tmp_path / "format.csv").write_text("name,format\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="wheel1.xlsx: cannot be read"):
        read_tables(tmp_path)


def test_the_small_wheel_agrees_with_the_canonical_emotions():
    words = [word for group in SMALL_WHEEL.values() for word in group]
    assert len(words) == len(set(words))
    named = {word: canonical(word) for word in words if canonical(word)}
    assert len(named) > 20 and all(word in SMALL_WHEEL[emotion] for word, emotion in named.items())
    assert not ov.NEUTRAL & set(words)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published wheels are not in $EMOREASON_DATA/emotion_wheels")
def test_published_tables():
    tables = read_tables(PUBLISHED)
    assert len(tables.forms) == 7386 and len(tables.classes) == 1255 and len(tables.wheels) == 5
    rings = [set(wheel.inner.values()) for wheel in tables.wheels]
    assert rings[0] == {"mad", "disgusted", "sad", "happy", "surprised", "scared"} and len(rings[1]) == 7
    assert rings[2] == rings[4] and "genius" in rings[3]
    normalisers = tables.normalisers()
    assert [one.get("angry") for one in normalisers] == ["mad", "angry", "mad", "anger", "mad"]
    assert [one.get("fear") for one in normalisers] == ["scared", "happy", "joyful", "genius", "joyful"]  # by way of "fearless"
    assert not any("neutral" in one for one in normalisers)
    words = [["angry"], ["happy", "surprised"], ["neutral"]]
    score = ov.set_scores(words, words, tables, "middle", FAST)[0]
    assert score.value == 1 and score.n == 2
    everything = ov.set_scores(words, [sorted(tables.forms)] * 3, tables, protocol=FAST)[0]
    assert everything.parts["recall"] == 1 and everything.value < 0.5


def test_scored_rows_are_those_with_a_truth_on_a_wheel():
    found = ov.overlap([["joy"], ["neutral"]], [["joy"], ["joy"]], TOY)
    assert found.scored.tolist() == [True, False] and found.neutral.tolist() == [False, True]
    assert np.isnan(found.precision[1]).all()
