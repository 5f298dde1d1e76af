"""Answers in plain words: negation, supposition, questions, sides, levels, numbers, pairs."""

import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoreason.labels.action_units import ACTION_UNITS
from emoreason.labels.emotions import EMOTIONS
from emoreason.scoring import plain_answer as p
from emoreason.scoring.plain_answer import CauseSaid, UnitSaid

WORDS = p.spellings(EMOTIONS)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Anger.", "anger"),
        ("**Fear**", "fear"),
        ("The answer is: Happiness", "happiness"),
        ('{"emotion": "anger"}', "anger"),
        ("The emotion is “sadness”.", "sadness"),
        ("The person looks happy.", "happiness"),
        ("The emotion is not anger but sadness.", "sadness"),
        ("not sad, angry", "anger"),
        ("rather than fear, this is disgust", "disgust"),
        ("He is neither angry nor sad, but surprised.", "surprise"),
        ("There is no anger or sadness. She appears calm.", "neutral"),
        ("Anger is absent. The face is neutral.", "neutral"),
        ("Happiness is not shown, sadness is.", "sadness"),
        ("There's a lack of happiness; sadness dominates.", "sadness"),
        ("No sign of fear; the face shows happiness.", "happiness"),
        ("This might be contempt, but it is disgust.", "disgust"),
        ("If she were afraid the brows would rise. She is amazed.", "surprise"),
        ("Why not fear? It is anger.", "anger"),
        ("Unhappy.", "sadness"),
    ],
)
def test_one_asserted_label(text, label):
    assert p.label_said(text, WORDS) == label


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I cannot tell.",
        "anger, sadness",
        "Surprise mixed with fear.",
        "It could be fear.",
        "The person isn't happy.",
        "not unhappy",
        "Is it anger?",
        "He does not look happy and calm.",
        "bored",
        "Choose from: anger, fear. Answer: anger",
    ],
)
def test_no_single_asserted_label(text):
    assert p.label_said(text, WORDS) is None


def test_spellings_of_sets_in_their_own_words():
    words = p.spellings(("joy", "calm", "neutral", "Sad"))
    assert words["happy"] == "joy" and words["sadness"] == "Sad" and words["calm"] == "calm"
    assert p.label_said("She is calm.", words) == "calm"
    assert p.label_said("Afraid.", words) is None
    compound = p.spellings(("sadly angry", "sadly fearful"))
    assert p.label_said("He looks sadly angry.", compound) == "sadly angry"


def test_open_words_by_the_longest_match():
    vocabulary = {"at ease", "ease", "happy", "self-deprecating", "worried"}
    text = "She is at ease and happy, a bit self-deprecating, not worried. Happy!"
    assert p.words_said(text, vocabulary) == ("at ease", "happy", "self-deprecating")
    assert p.words_said("['worried', 'happy']", vocabulary) == ("worried", "happy")
    assert p.words_said("anything", ()) == ()


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("AU12 strong on the left, no AU04.", (UnitSaid("AU12", "left", "strong"),)),
        ("AU6+12, slight AU25", (UnitSaid("AU06"), UnitSaid("AU12"), UnitSaid("AU25", None, "slight"))),
        ("A slight smile and raised brows.", (UnitSaid("AU12", None, "slight"), UnitSaid("AU01"), UnitSaid("AU02"))),
        ("The brows are not raised.", ()),
        ("AU12 is present; AU12 is not present.", ()),
        ("No action units are active.", ()),
        ("There are no visible, active AUs.", ()),
        ("I cannot tell.", None),
        ("Happiness.", None),
        ("", None),
    ],
)
def test_units(text, units):
    assert p.units_said(text) == units


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Valence +0.40, arousal -0.10.", (0.4, -0.1)),
        ("valence: 0.4, arousal = −0.2", (0.4, -0.2)),
        ('{"valence": 0.5, "arousal": -.25}', (0.5, -0.25)),
        ("The valence is about 0.3 and the arousal is -1.", (0.3, -1.0)),
        ("Valence 0.3, arousal 0.1; so valence 0.3 it is.", (0.3, 0.1)),
        ("valence 0.3 or valence 0.2, arousal 0", None),
        ("valence of 0.4 and an arousal of 1.4", None),
        ("valence 40%, arousal 0.1", None),
        ("Valence is high, arousal 0.3", None),
        ("valence 0.5", None),
        ("0.4 0.2", None),
    ],
)
def test_valence_and_arousal(text, pair):
    assert p.affect_said(text) == pair


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("Utterance 3 because of 1 (joy); 4 because of 4.", (CauseSaid(3, 1, "joy"), CauseSaid(4, 4))),
        ("Utterance 3 (Joy) because of utterance 1.", (CauseSaid(3, 1, "joy"),)),
        ('["3_joy", "1"], (4, anger, 2)', (CauseSaid(3, 1, "joy"), CauseSaid(4, 2, "anger"))),
        ("3 because of 1 (joy); 3 because of 1 (joy)", (CauseSaid(3, 1, "joy"),)),
        ("3 because of 1 (mauve)", (CauseSaid(3, 1),)),
        ("It is not 3 because of 1.", None),
        ("Nobody feels anything.", None),
    ],
)
def test_causes(text, pairs):
    assert p.causes_said(text, ("joy", "anger")) == pairs


@pytest.mark.parametrize(
    ("text", "yes"),
    [("Yes, it is.", True), ("**No**", False), ("no.", False), ("Yes, no doubt", True)]
    + [(text, None) for text in ("Yes and no", "yes/no", "Nothing", "I think yes", "", "Yesterday")],
)
def test_yes_and_no(text, yes):
    assert p.yes_no_said(text) is yes


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_without_an_error(text):
    assert p.label_said(text, WORDS) in (*EMOTIONS, None)
    assert all(unit.au in ACTION_UNITS for unit in p.units_said(text) or ())
    affect = p.affect_said(text)
    assert affect is None or all(-1 <= number <= 1 for number in affect)
    p.causes_said(text)
    p.yes_no_said(text)


NOT_ASSERTED = ("It is not {}.", "There is no {}.", "No sign of {}.", "It could be {}.", "Is it {}?")


@given(st.sampled_from(EMOTIONS), st.sampled_from(NOT_ASSERTED))
@settings(max_examples=60, deadline=None)
def test_what_is_not_asserted_is_not_said(emotion, frame):
    assert p.label_said(frame.format(emotion), WORDS) is None


@given(st.permutations(list(EMOTIONS)))
@settings(max_examples=20, deadline=None)
def test_listing_everything_says_nothing(order):
    assert p.label_said(", ".join(order), WORDS) is None


def test_no_reader_has_a_place_for_the_truth():
    readers = (p.label_said, p.words_said, p.units_said, p.affect_said, p.causes_said, p.yes_no_said)
    parameters = {name for reader in readers for name in inspect.signature(reader).parameters}
    assert parameters == {"text", "words", "vocabulary", "emotions"}
