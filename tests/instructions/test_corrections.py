"""Whatever a model wrote, its quotations are in the transcript, and its cues speak for what their weights say."""

import random
import re

import pytest
from instructions.synthetic import draw, lines_of
from observations import make_observation

from emoreason.instructions.chains import compose
from emoreason.instructions.corrections import corrected
from emoreason.instructions.templates import templates
from emoreason.labels.emotions import EMOTIONS


@pytest.fixture
def smile():
    """f1: AU12, f2: AU06, f3: AU04; v1: a low voice."""
    units = {au: [(1.0, 2.0, 3.0, strength, "both")] for au, strength in (("AU12", 0.95), ("AU06", 0.8), ("AU04", 0.5))}
    lines = lines_of(make_observation(5.0, people=[{"au": units}], voice={"pitch": (90.0, "low")}))
    assert [(line.id, line.cue.cue) for line in lines[:3]] == [("f1", "AU12"), ("f2", "AU06"), ("f3", "AU04")]
    return lines


def test_cues_on_the_wrong_side_change_it(smile):
    said = "Seen: AU12 [f1]. Happiness is in line with f1 and f3; less in line with it: f2. It looks like happiness."
    told = corrected(said, smile)
    first, reason, *rest = told.split(". ")
    assert first == "Seen: AU12 [f1]" and rest == ["It looks like happiness."]
    assert "f1 and f2" in reason.partition(";")[0] and "happiness" in reason.lower() and "f3" not in reason.partition(";")[0]


def test_an_emotion_that_nothing_speaks_for_is_said_to_have_nothing(smile):
    told = corrected("Fear is in line with f1.", smile)
    assert any(told.lower().startswith(said.format(emotion="fear")) for said in templates().sentences["undecided"])


def test_nothing_decisive_is_held_against_the_cited_cues(smile):
    told = corrected("Seen: AU12 [f1]. No measured cue is decisive for happiness.", smile)
    assert "f1" in told.split(". ")[1] and "decisive" not in told


@pytest.mark.parametrize("said", ["Happiness is in line with f8.", "Happiness fits with f99; it is at odds with f77."])
def test_a_sentence_about_no_evidence_is_left_out(smile, said):
    assert corrected(f"Seen: AU12 [f1]. {said} It looks like happiness.", smile) == "Seen: AU12 [f1]. It looks like happiness."


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Fear is more in line with f1 and f2 than happiness.", "Happiness is more in line with f1 and f2 than fear."),
        ("Anger is more in line with f1 and f3 than happiness.", "Anger is more in line with f3 than happiness."),
        ("Happiness is more in line with f1 and v1 than fear; what fear often comes with is missing.",
         "Happiness is more in line with f1 than fear; what fear often comes with is missing."),
        ("Fear is more in line with f9 than happiness.", ""),
        ("Boredom is more in line with f1 than happiness.", "Boredom is more in line with f1 than happiness."),
    ],
)  # fmt: skip
def test_cues_lead_to_the_emotion_that_they_say_more_about(smile, said, told):
    assert corrected(f"Seen: AU12 [f1]. {said}", smile) == f"Seen: AU12 [f1]. {told}".strip()


@pytest.mark.parametrize(
    "said",
    [
        "Seen on person p1: a lip corner puller (AU12) [f1] (1.0-3.0 s). It looks like happiness.",
        "Boredom is in line with f1 and f2.",  # none of the eight: its cues are not known
        "",
    ],
)
def test_anything_else_stays_as_it_is(smile, said):
    assert corrected(said, smile) == said


@pytest.fixture
def talk():
    """f1: AU12; w1: what is said."""
    smiling, words = {"au": {"AU12": [(1.0, 2.0, 3.0, 0.95, "both")]}}, [(0.5, 3.0, "Well. Come over here, it's fine.")]
    lines = lines_of(make_observation(5.0, people=[smiling], words=words))
    assert [line.id for line in lines if line.cue.modality != "voice"] == ["f1", "w1"]
    return lines


@pytest.mark.parametrize(
    "said",
    [
        'The speaker says "Come over here" [w1]. Seen: AU12 [f1].',
        'Seen: AU12 [f1] (1.0-3.0 s). The speaker says "Well. Come over" (0.5-3.0 s) [w1].',
        'The speaker says "come over here its fine".',
    ],
)
def test_words_of_the_transcript_stay(talk, said):
    assert corrected(said, talk) == said


@pytest.mark.parametrize(
    "said",
    ['The speaker says "f1" (f2), "f3" (f4) and "f10" (f11).', 'Person p1 says "strong lip corner puller (AU12) 1.8-3.1" (f1).',
     'The speaker is heard saying "', 'She says "go. Away! Now" now.', 'One hears "".'],
)  # fmt: skip
def test_what_nobody_said_is_left_out(talk, said):
    assert corrected(f"Seen: AU12 [f1]. {said} It looks like happiness.", talk) in (
        "Seen: AU12 [f1]. It looks like happiness.", "Seen: AU12 [f1].")  # fmt: skip


def test_a_cited_line_is_quoted_rightly(talk):
    told = corrected('The speaker is heard saying "this is on the right side" (w1). It looks like happiness.', talk)
    assert '"Well. Come over here' in told and "[w1]" in told and "right side" not in told and told.endswith("like happiness.")


@pytest.mark.parametrize("seed", range(80))
def test_composed_chains_keep_their_sense(seed):
    observation = draw(seed)
    lines, emotion = lines_of(observation), EMOTIONS[seed % len(EMOTIONS)]
    made = compose(observation, lines, emotion, random.Random(seed))
    told = corrected(made.text, lines)
    again = corrected(told, lines)
    assert sides(told) == sides(made.text) == sides(again)
    for sentence in (*made.observations, made.conclusion):
        assert sentence in told


def sides(text: str) -> list[list[str]]:
    """Ids of each clause of the sentences without brackets."""
    sentences = [sentence for sentence in re.split(r"(?<=[.!?]) ", text) if "[" not in sentence and "(" not in sentence]
    return [found for clause in ";".join(sentences).split(";") if (found := re.findall(r"\b[fvw]\d+\b", clause))]
