"""Cues: what was measured, strongest x most reliable first, always in the same order."""

from dataclasses import replace

import pytest
from observations import make_observation

from emoreason.perception.cues import cues, rank, speaker
from emoreason.perception.observation import VoiceCue

SPOKEN = {
    "people": [
        {"au": {"AU12": [(2.0, 3.0, 4.8, 0.8, "both")], "AU14": [(6.0, 6.5, 7.0, 0.5, "left")]}, "speaking": [(1.0, 5.0)]},
        {"au": {"AU04": [(1.0, 2.0, 3.0, 0.6, "both")]}},
    ],
    "voice": {"pitch": (280.0, "high"), "rate": (4.0, "typical")},
    "words": [(1.0, 4.0, "what a day")],
}


def test_one_cue_for_each_measurement():
    found = cues(make_observation(10.0, **SPOKEN))
    smile = next(cue for cue in found if cue.cue == "AU12")
    assert (smile.modality, smile.person, smile.level, smile.side, smile.value) == ("face", "p1", "strong", "both", 0.8)
    assert (smile.start_s, smile.apex_s, smile.end_s) == (2.0, 3.0, 4.8)
    said = next(cue for cue in found if cue.cue == "said")
    assert (said.value, said.person, said.level) == ("what a day", "p1", None)
    assert sorted(cue.cue for cue in found) == ["AU04", "AU12", "AU14", "pitch", "rate", "said"]


def test_strongest_and_most_reliable_first():
    found = cues(make_observation(10.0, **SPOKEN, reliability={"AU12": "low"}))
    assert [rank(cue) for cue in found] == sorted((rank(cue) for cue in found), reverse=True)
    assert found[0].cue == "AU04"
    assert found[-1].cue == "rate"  # a typical rate says little
    assert {cue.cue: cue.reliability for cue in found}["AU12"] == "low"
    assert all(0 <= cue.strength <= 1 for cue in found)


def test_same_measurements_same_order():
    twice = [{"au": {"AU12": [(2.0, 3.0, 4.0, 0.8, "both")]}}] * 2
    keys = [[(c.cue, c.person) for c in cues(make_observation(10.0, people=twice))] for _ in range(2)]
    assert keys[0] == keys[1] == [("AU12", "p1"), ("AU12", "p2")]


def test_blinks_and_speaking_mouths_tell_little():
    au = {"AU45": [(1.0, 1.1, 1.2, 1.0, "both")], "AU26": [(2.0, 3.0, 4.0, 0.9, "both"), (7.0, 8.0, 9.0, 0.9, "both")]}
    found = cues(make_observation(10.0, people=[{"au": au | {"AU04": [(5, 6, 7, 0.4, "both")]}, "speaking": [(1.0, 5.0)]}]))
    assert [(c.cue, c.start_s) for c in found] == [("AU26", 7.0), ("AU04", 5.0), ("AU26", 2.0), ("AU45", 1.0)]


def test_spans_of_speech_count_where_they_differ_from_the_whole():
    observation = make_observation(10.0, voice={"pitch": (200.0, "typical")}, speech=[(0.0, 3.0), (5.0, 8.0)])
    spans = (VoiceCue("pitch", 300.0, "Hz", "high", 0.0, 3.0), VoiceCue("pitch", 180.0, "Hz", "typical", 5.0, 8.0))
    observation = replace(observation, voice=replace(observation.voice, cues=(*observation.voice.cues, *spans)))
    assert [(c.level, c.start_s, c.end_s) for c in cues(observation)] == [("high", 0.0, 3.0), ("typical", 0.0, 8.0)]


@pytest.mark.parametrize(
    ("span", "who"), [((1.0, 4.0), "p1"), ((6.0, 7.0), "p2"), ((9.0, 9.5), None), ((3.0, 7.0), None), ((0.0, 10.0), "p1")]
)
def test_speaker_has_more_than_half(span, who):
    people = [{"speaking": [(1.0, 5.0)]}, {"speaking": [(5.0, 7.0)]}]
    assert speaker(make_observation(10.0, people=people), *span) == who


def test_nothing_measured_nothing_told():
    assert cues(make_observation(10.0)) == []
