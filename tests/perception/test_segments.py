import pytest
from hypothesis import given
from hypothesis import strategies as st
from observations import make_observation

from emoreason.perception.observation import Cue
from emoreason.perception.segments import LONGEST_S, SHORTEST_S, Segment, segments


def bounds(observation):
    return [(s.start_s, s.end_s) for s in segments(observation)]


def test_a_short_clip_is_one_segment():
    assert bounds(make_observation(6.0)) == [(0.0, 6.0)]
    assert bounds(make_observation(1.0, cuts_s=[0.5])) == [(0.0, 1.0)]


def test_a_picture_is_one_segment_without_length():
    assert bounds(make_observation(0.0)) == [(0.0, 0.0)]


def test_shots_and_pauses_are_boundaries():
    observation = make_observation(18.0, cuts_s=[5.0], voice={}, words=[(6.0, 9.0, "one"), (11.0, 15.0, "two")])
    assert bounds(observation) == [(0.0, 5.0), (5.0, 10.0), (10.0, 18.0)]


def test_a_piece_too_short_joins_its_shorter_neighbour():
    assert bounds(make_observation(14.0, cuts_s=[5.0, 6.0])) == [(0.0, 6.0), (6.0, 14.0)]


@given(
    st.floats(0.1, 400),
    st.lists(st.floats(0, 400), max_size=12),
)
def test_segments_cover_the_clip_without_gaps(duration_s, cuts_s):
    duration_s = round(duration_s, 3)
    pieces = segments(make_observation(duration_s, fps=1.0, cuts_s=sorted(cuts_s)))
    assert pieces[0].start_s == 0 and pieces[-1].end_s == pytest.approx(duration_s, abs=2e-3)
    for before, after in zip(pieces, pieces[1:], strict=False):
        assert before.end_s == after.start_s
    assert all(p.end_s - p.start_s <= LONGEST_S + 0.01 for p in pieces)
    if duration_s >= SHORTEST_S:
        assert all(p.end_s - p.start_s >= SHORTEST_S - 0.01 for p in pieces)


def test_a_cue_belongs_where_it_peaks_or_fills_half():
    def event(start, apex, end):
        return Cue("face", "AU12", "p1", "strong", "both", 0.9, None, start, apex, end, "high", 0.9)

    first, second = Segment(0.0, 10.0), Segment(10.0, 20.0)
    reaching = event(9.5, 18.0, 19.6)
    assert not first.holds(reaching) and second.holds(reaching)
    across = event(2.0, 12.0, 14.0)
    assert first.holds(across) and second.holds(across)
    part = first.part_of(across)
    assert (part.start_s, part.apex_s, part.end_s) == (2.0, 10.0, 10.0)
