"""The composer on observations made of numbers: what is shown must come out, and nothing must come out of nothing."""

import numpy as np
import pytest
from observations import make_observation

from emoreason.labels.emotions import EMOTIONS
from emoreason.perception.observation import Note
from emoreason.report import composer
from emoreason.report.assemble import assemble, emotion_spans
from emoreason.report.judgement import Judgement
from emoreason.report.schema import ModelInfo

WHOLE = (0.3, 2.5, 4.7)


def person(*aus, peak=0.95, side="both", **more):
    return {"au": {au: [(*WHOLE, peak, side)] for au in aus}} | more


def report(observation):
    return assemble(observation, composer.judge(observation), ModelInfo(name="composer"), {})


@pytest.mark.parametrize(
    ("aus", "emotion"),
    [
        (("AU06", "AU12"), "happiness"),
        (("AU01", "AU04", "AU15"), "sadness"),
        (("AU01", "AU02", "AU05", "AU26"), "surprise"),
        (("AU04", "AU07", "AU23", "AU24"), "anger"),
        (("AU09", "AU10", "AU17"), "disgust"),
        (("AU01", "AU04", "AU05", "AU20"), "fear"),
        ((), "neutral"),
    ],
)
def test_prototypes_come_out(aus, emotion):
    made = report(make_observation(5.0, people=[person(*aus)]))
    assert made.verdict.emotion == emotion
    assert made.verdict.person == "p1"
    assert made.people[0].emotion == emotion


def test_one_sided_lip_corner_is_contempt():
    made = report(make_observation(5.0, people=[person("AU14", "AU12", peak=0.7, side="left")]))
    assert made.verdict.emotion == "contempt"


def test_every_claim_of_the_composer_is_supported():
    observation = make_observation(
        9.0,
        people=[person("AU06", "AU12", speaking=[(1.0, 4.0)]), person("AU04", peak=0.5), person("AU14", side="right")],
        voice={"pitch": (300.0, "high"), "loudness": (-10.0, "high"), "rate": (2.0, "low")},
        words=[(1.0, 4.0, "what a wonderful day this is")],
    )
    explanation = report(observation).explanation
    assert len(explanation.claims) >= 6
    assert {claim.verdict for claim in explanation.claims} == {"supported"}, explanation
    assert all(claim.text in explanation.text for claim in explanation.claims)
    assert 2 <= explanation.text.count(". ") + 1 <= 6
    assert explanation.faithfulness == 1.0


def test_text_follows_the_evidence():
    texts = {report(make_observation(5.0, people=[person(au)])).explanation.text for au in ("AU12", "AU04", "AU15", "AU05")}
    assert len(texts) == 4


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (make_observation(5.0), ["no face", "no sound"]),
        (make_observation(5.0, has_video=False, voice={}, speech=[(0.0, 0.2)]), ["no speech"]),
    ],
)
def test_too_little_to_go_on_abstains_with_a_reason(observation, words):
    verdict = report(observation).verdict
    assert verdict.abstained and verdict.emotion is None and verdict.confidence is None and verdict.probabilities is None
    assert any(word in verdict.reason for word in words)


def test_cues_for_two_emotions_alike_abstain_and_keep_probabilities():
    verdict = report(make_observation(5.0, people=[person("AU01", "AU12", peak=0.5)])).verdict
    assert verdict.abstained and "happiness and neutral about equally" in verdict.reason
    assert verdict.probabilities is not None and sum(verdict.probabilities.values()) == pytest.approx(1, abs=2e-3)


def test_missing_modality_adds_nothing():
    alone = report(make_observation(5.0, people=[person("AU12")])).verdict.probabilities
    typical = report(make_observation(5.0, people=[person("AU12")], voice={"pitch": (160.0, "typical")})).verdict.probabilities
    assert alone == typical


def test_a_smile_is_not_voted_down_by_the_seconds_around_it():
    smile = {"AU12": [(1, 2.5, 4, 0.9, "both")], "AU06": [(1, 2.5, 4, 0.8, "both")]}
    observation = make_observation(10.0, people=[{"au": smile}])
    assert report(observation).verdict.emotion == "happiness"


def test_long_clip_has_segments_with_their_own_verdicts():
    smile, scowl = [(1, 4, 9, 0.95, "both")], [(21, 25, 29, 0.95, "both")]
    people = [{"au": {"AU06": smile, "AU12": smile, "AU04": scowl, "AU07": scowl, "AU23": scowl, "AU24": scowl}}]
    made = report(make_observation(30.0, people=people))
    assert [segment.verdict.emotion for segment in made.segments] == ["happiness", "neutral", "anger"]
    assert made.segments[0].explanation.text != made.segments[2].explanation.text
    shown = [span.emotion for span in made.people[0].emotions_over_time]
    assert shown[0] == shown[-1] == "neutral" and "happiness" in shown and "anger" in shown


def test_the_speaker_is_the_person_of_the_verdict():
    people = [person("AU12"), person("AU04", "AU24", speaking=[(1.0, 4.0)])]
    made = report(make_observation(5.0, people=people, voice={}, words=[(1.0, 4.0, "now")]))
    assert made.verdict.person == "p2" and made.voice.person == "p2"


def test_notes_become_warnings():
    assert "It is dark." in report(make_observation(5.0, notes=[Note("dark", "It is dark.")])).warnings


def test_derived_fields_are_named():
    verdict = report(make_observation(5.0, people=[person("AU06", "AU12")])).verdict
    assert verdict.sentiment == "positive" and verdict.valence > 0.3
    assert set(verdict.derived) == {"valence", "arousal", "sentiment"} and verdict.compound is None


def test_emotion_spans_of_unmeasured_frames_are_empty():
    assert emotion_spans(np.arange(3.0), np.full((3, len(EMOTIONS)), np.nan)) == []


def test_what_fits_less_is_told_too():
    made = report(make_observation(5.0, people=[person("AU06", "AU12", "AU43")]))
    assert made.verdict.emotion == "happiness"
    assert "closing of the eyes (AU43)" in made.explanation.text and "fits happiness less" in made.explanation.text
    assert made.explanation.faithfulness == 1.0


def test_of_probabilities_that_are_all_alike_nothing_is_derived():
    """Five of the eight emotions are unpleasant: their mean is no sentiment of anybody."""
    even = Judgement(0.0, 1.0, np.full(8, 0.125), None, "nothing stands out", None, "").verdict()
    assert even.probabilities["anger"] == 0.125 and even.abstained
    assert even.sentiment is even.valence is even.arousal is None and even.derived == []
    told = Judgement(0.0, 1.0, np.array([0.3, *[0.1] * 7]), "anger", None, None, "").verdict()
    assert told.sentiment == "negative"
