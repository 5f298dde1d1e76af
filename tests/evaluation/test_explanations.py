"""Explanation metrics on texts about made observations: hand-counted cases, bounds, and the ways to game them."""

from dataclasses import replace

import pytest
from evaluation.made import row, task_of
from hypothesis import given, settings
from hypothesis import strategies as st
from observations import make_observation

from emoreason.evaluation.explanations import METRICS, TOP, ExplainedClip, clue_cues, clue_words, counts
from emoreason.labels.action_units import ACTION_UNITS
from emoreason.scoring.answer import parse_answer
from emoreason.scoring.metrics.score import Protocol

SMILE = {"AU12": [(2.0, 3.0, 4.0, 0.9, "both")], "AU06": [(2.0, 3.0, 4.0, 0.6, "both")]}
FROWN = {"AU04": [(1.0, 2.0, 5.0, 0.8, "both")]}
SMILED = "Person p1 shows a strong lip corner puller (AU12) from 2.0 to 4.0 s."
# Units that the grammar reads from their names, that stand for no other, and that a made face can show all at once.
UNITS = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU09", "AU10", "AU12", "AU15", "AU17", "AU20")
LABELS = ("anger", "happiness")


def told(text, au=SMILE, **fields):
    return ExplainedClip(text, make_observation(people=[{"au": au}]), **fields)


def scores(*clips):
    """Each text held against the other clips, as a run of a suite does."""
    rows = []
    for place, one in enumerate(clips):
        others = [other.observation for other in clips if other is not one]
        found = {metric: list(pair) for metric, pair in counts(one, others).items() if pair[1]}
        rows.append(row(str(place), {"label": None}, {"label": None, "counts": found}))
    task = task_of("reasoning", primary="claims_per_text")
    return {score.metric: score for score in task.score(rows, Protocol(resamples=20))}


def sentence(au, start_s=2.0, end_s=4.0):
    return f"Person p1 shows a strong {ACTION_UNITS[au].name} ({au}) from {start_s:.1f} to {end_s:.1f} s."


def test_claims_are_counted_over_all_texts():
    found = scores(
        told(f"{SMILED} The brows are lowered."),
        told("The shoulders are hunched."),
    )
    assert found["claims_per_text"].value == 1.5 and found["claims_per_text"].unit == "claims"
    rates = [found[f"{name}_rate"].value for name in ("supported", "contradicted", "unverifiable")]
    assert rates == pytest.approx([1 / 3] * 3)


def test_a_text_without_claims_is_neither_faithful_nor_unfaithful():
    found = scores(told("He appears to be happy."))
    assert found["claims_per_text"].value == 0 and "supported_rate" not in found
    assert found["cue_coverage"].value == 0 and found["chosen_cue_f1"].value == 0


def test_action_units_against_a_human_coder():
    text = f"{SMILED} The cheeks are raised. The brows are lowered. The nose is not wrinkled. The lips are parted."
    human = {"AU12": True, "AU06": True, "AU04": False, "AU09": False, "AU17": True}  # 25 was not coded
    found = counts(told(text, units=human))
    assert found["au_precision_human"] == (2, 3) and found["au_recall_human"] == (2, 3)
    assert found["au_f1_human"] == (4, 6) and found["au_denials_human"] == (1, 1)


def test_a_unit_that_comes_and_goes_was_there():
    found = counts(told(f"{SMILED} At the end there is no smile.", units={"AU12": True}))
    assert found["au_recall_human"] == (1, 1) and found["au_denials_human"] == (0, 0)


@pytest.mark.parametrize(("stated", "expected"), [((2.0, 4.0), 1.0), ((3.0, 5.0), 1 / 3), ((6.0, 8.0), 0.0)])
def test_stated_times_overlap_measured_ones(stated, expected):
    total, n = counts(told(sentence("AU12", *stated)))["time_iou"]
    assert n == 1 and total == pytest.approx(expected)


def test_texts_without_times_have_no_overlap():
    assert counts(told("There is a smile, and the cheeks are raised at the beginning."))["time_iou"] == (0, 0)


def test_a_specific_text_fits_its_own_clip_only():
    smile, frown = told(SMILED, SMILE), told(sentence("AU04", 1, 5), FROWN)
    assert scores(smile, frown)["specificity"].value == 1.0
    swapped = scores(replace(smile, text=frown.text), replace(frown, text=SMILED))
    assert swapped["specificity"].value == 0.0
    vague = "He appears to feel something."
    assert scores(replace(smile, text=vague), replace(frown, text=vague))["specificity"].value == 0.5


@pytest.mark.parametrize(
    ("free", "agrees", "parsed"),
    [("<answer>emotion=happiness</answer>", 1, 1), ("<answer>emotion=anger</answer>", 0, 1), ("happy!", 0, 0)],
)
def test_the_free_conclusion_against_the_stated_one(free, agrees, parsed):
    found = counts(told(SMILED, conclusion="happiness", free=parse_answer(free, LABELS)))
    assert found["conclusion_agreement"] == (agrees, 1) and found["free_parsed"] == (parsed, 1)


def test_overlap_with_a_human_text_is_over_clues_not_over_any_words():
    human = "In the video he furrows his brows and speaks loudly. Therefore he is angry."
    assert clue_words("In the video he is angry, therefore it is inferred.") == frozenset()
    assert {"brow", "furrow"} <= clue_words(human) and "AU04" in clue_cues(human)
    same, other = (counts(told(text, reference=human)) for text in (human, "His mouth is open."))
    assert same["clue_word_f1"] == (1, 1) and same["clue_cue_f1"] == (1, 1)
    assert other["clue_word_f1"] == (0, 1) and counts(told(human))["clue_word_f1"] == (0, 0)


# the ways to game them

SENTENCES = [*map(sentence, UNITS), "The nose is not wrinkled.", "He leans back.", "Who knows?"]
texts = st.lists(st.sampled_from(SENTENCES), max_size=8)
clips = st.lists(st.sampled_from(UNITS), max_size=len(UNITS), unique=True)


def made(text, units, human=()):
    return told(" ".join(text), {au: [(2.0, 3.0, 4.0, 0.8, "both")] for au in units}, units={au: True for au in human})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(texts, clips, clips), min_size=1, max_size=4))
def test_every_share_lies_between_0_and_1(samples):
    rows = [made(text, units, human) for text, units, human in samples]
    found = scores(*rows)
    assert found.keys() <= METRICS.keys()
    for metric, score in found.items():
        if metric != "claims_per_text":
            assert 0 <= score.value <= 1
    if found["claims_per_text"].value:
        assert sum(found[f"{name}_rate"].value for name in ("supported", "contradicted", "unverifiable")) == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(clips.filter(lambda units: len(units) > TOP))
def test_copying_all_evidence_does_not_win(units):
    """More was measured than stands out: who tells it all covers all, is never wrong, and still loses to who chooses."""
    one = made(map(sentence, units), units)
    everything = counts(one)
    assert everything["supported_rate"] == (len(units), len(units)) and everything["cue_coverage"] == (1.0, 1)
    chosen = [au for au in units if _is_strong(au, one)]
    choosing = counts(made(map(sentence, chosen), units))
    assert _value(choosing["chosen_cue_f1"]) == 1.0 > _value(everything["chosen_cue_f1"])


@settings(max_examples=40, deadline=None)
@given(clips.filter(bool), st.integers(2, 4))
def test_saying_the_same_again_does_not_win(units, times):
    strong = min(units)  # equally strong, so the first of them are taken
    once = counts(made([sentence(strong)], units))
    again = counts(made([sentence(strong, 2.0 + n / 10) for n in range(times)], units))
    assert _value(again["chosen_cue_f1"]) < _value(once["chosen_cue_f1"])


@settings(max_examples=20, deadline=None)
@given(clips.filter(bool))
def test_saying_little_does_not_win(units):
    silent, one = counts(made([], units)), counts(made([sentence(min(units))], units))
    assert _value(silent["chosen_cue_f1"]) == 0 < _value(one["chosen_cue_f1"])


def _is_strong(au, one):
    return counts(replace(one, text=sentence(au)))["cue_coverage"][0] > 0


def _value(pair):
    return pair[0] / pair[1]
