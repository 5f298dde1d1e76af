"""Who speaks, from lip movement of people made of numbers."""

import numpy as np
import pytest

from emoreason.perception.geometry import MEASURES
from emoreason.perception.observation import FaceTable, Person, Voice
from emoreason.perception.speaking import who_speaks

TIMES_S = np.arange(0, 10, 1 / 12)


def talking(times_s):
    """Lip gap of about three syllables a second."""
    return 0.06 + 0.05 * np.sin(2 * np.pi * 3 * times_s) + 0.02 * np.sin(2 * np.pi * 1.3 * times_s)


def still(times_s):
    return np.full(len(times_s), 0.02)


def smiling(times_s):
    """Opens once and stays open: much travel, no to-and-fro."""
    return 0.02 + 0.4 * np.clip((times_s - 2) / 2, 0, 1)


def person(face_id, gap, times_s=TIMES_S):
    geometry = np.zeros((len(times_s), len(MEASURES)), np.float32)
    geometry[:, MEASURES.index("lip_gap")] = gap
    table = FaceTable([{"sample": np.arange(len(times_s)), "geometry": geometry}])
    return Person(face_id, table, np.arange(len(times_s)), times_s)


def voice(*spans):
    return Voice(tuple(spans), (), 0.05, np.zeros(200, np.float32), np.zeros(200, np.float32))


def test_the_one_who_moves_the_lips_speaks():
    people = [person(1, still(TIMES_S)), person(2, talking(TIMES_S))]
    assert who_speaks(people, voice((1.0, 4.0), (6.0, 7.0))) == {"p1": (), "p2": ((1.0, 4.0), (6.0, 7.0))}


@pytest.mark.parametrize("mouth", [still, smiling])
def test_a_voice_from_off_screen_belongs_to_nobody_in_view(mouth):
    assert who_speaks([person(1, mouth(TIMES_S))], voice((1.0, 5.0))) == {"p1": ()}


def test_two_people_take_turns_within_one_span_of_speech():
    first = np.where(TIMES_S < 5, talking(TIMES_S), 0.02)
    second = np.where(TIMES_S < 5, 0.02, talking(TIMES_S))
    spoken = who_speaks([person(1, first), person(2, second)], voice((1.0, 9.0)))
    assert spoken == {"p1": ((1.0, 5.0),), "p2": ((5.0, 9.0),)}


def test_nobody_is_named_when_two_move_alike():
    people = [person(1, talking(TIMES_S)), person(2, talking(TIMES_S + 0.1))]
    assert who_speaks(people, voice((1.0, 5.0))) == {"p1": (), "p2": ()}


def test_a_pause_of_the_lips_within_a_phrase_stays_with_its_speaker():
    gap = np.where((TIMES_S > 2.9) & (TIMES_S < 5.1), 0.02, talking(TIMES_S))
    assert who_speaks([person(1, gap)], voice((1.0, 7.0))) == {"p1": ((1.0, 7.0),)}


def test_a_mouth_that_is_not_measured_or_not_in_view_does_not_speak():
    unseen = person(1, np.full(len(TIMES_S), np.nan))
    late = TIMES_S[TIMES_S > 6]
    assert who_speaks([unseen, person(2, talking(late), late)], voice((1.0, 5.0))) == {"p1": (), "p2": ()}


def test_without_voice_nobody_speaks_and_everybody_is_listed():
    assert who_speaks([person(1, talking(TIMES_S))], None) == {"p1": ()}
    assert who_speaks([], voice((0.0, 1.0))) == {}


def test_short_speech_is_judged_with_its_surroundings():
    assert who_speaks([person(1, talking(TIMES_S))], voice((3.0, 3.3))) == {"p1": ((3.0, 3.3),)}


def test_irregular_and_missing_frames_do_not_invent_movement():
    sparse = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
    jumps = np.array([0.0, 0.3, 0.0, 0.3, 0.0])
    assert who_speaks([person(1, jumps, sparse)], voice((0.0, 8.0))) == {"p1": ()}
    uneven = np.sort(np.random.default_rng(0).uniform(0, 10, 120))
    assert who_speaks([person(1, talking(uneven), uneven)], voice((1.0, 9.0))) == {"p1": ((1.0, 9.0),)}
