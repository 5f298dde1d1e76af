import numpy as np
import pytest

from emoreason.perception.tracks import CONFIRM, LOST_S, Sighting, Tracker, look, look_distance

STEP_S = 1 / 12


def looks(seed: int) -> np.ndarray:
    """[2, 64]: a look of its own for each seed."""
    shares = np.random.default_rng(seed).dirichlet(np.full(64, 0.1), 2)
    return np.sqrt(shares)


def person(seed: int, x: float, y: float = 100, size: float = 80) -> Sighting:
    rng = np.random.default_rng(seed)
    return Sighting(np.array([x, y, size, size], float), looks(seed), rng.normal(0, 5, 7))


class Film:
    """Feeds a tracker and remembers its answers."""

    def __init__(self) -> None:
        self.tracker, self.now = Tracker(), 0.0

    def show(self, *faces: Sighting) -> list:
        matches = self.tracker.match(faces, self.now)
        tracks = self.tracker.update(faces, matches, self.now)
        self.now += STEP_S
        return tracks

    def cut(self) -> None:
        self.tracker.end_shot(self.now - STEP_S)


def test_one_moving_face_is_one_track():
    film = Film()
    tracks = {id(film.show(person(1, 10 + 9 * i))[0]) for i in range(40)}
    assert len(tracks) == 1


def test_two_faces_that_swap_sides_keep_their_tracks():
    film, steps, first = Film(), 40, None
    for i in range(steps):
        faces = [person(1, 10 + 12 * i), person(2, 10 + 12 * (steps - 1 - i), y=110)]
        order = [0, 1] if i % 3 else [1, 0]  # the networks give faces in any order
        tracks = film.show(*(faces[k] for k in order))
        named = [tracks[order.index(k)] for k in range(2)]
        first = first or named
        assert named[0] is first[0] and named[1] is first[1]


def test_swapping_while_one_is_hidden_is_told_by_look():
    film = Film()
    for i in range(12):
        one, two = film.show(person(1, 100 + 10 * i), person(2, 340 - 10 * i))
    for _ in range(5):
        assert film.show(person(1, 220))[0] is one
    for i in range(8):
        tracks = film.show(person(2, 210 - 10 * i), person(1, 230 + 10 * i))
    assert tracks[0] is two and tracks[1] is one


@pytest.mark.parametrize("gap_s", [0.5, LOST_S - 0.2])
def test_brief_misses_are_survived(gap_s):
    film = Film()
    for _ in range(6):
        (track,) = film.show(person(1, 100))
    film.now += gap_s
    assert film.show(person(1, 120))[0] is track


def test_someone_else_in_the_same_place_after_a_while_is_someone_else():
    film = Film()
    for _ in range(6):
        (track,) = film.show(person(1, 100))
    film.now += LOST_S + 1
    assert film.show(person(2, 100))[0] is not track


def test_shot_and_reverse_shot():
    film, seen = Film(), []
    for shot in range(4):
        for _ in range(12):
            tracks = film.show(person(1 + shot % 2, 100 + 200 * (shot % 2)))
        seen.append(tracks[0])
        film.cut()
    assert seen[0] is seen[2] and seen[1] is seen[3] and seen[0] is not seen[1]


def test_after_a_cut_place_alone_proves_nothing():
    film = Film()
    for _ in range(6):
        (track,) = film.show(person(1, 100))
    film.cut()
    assert film.show(person(2, 100))[0] is not track


def test_when_two_could_be_meant_it_is_a_new_person():
    film = Film()
    for _ in range(6):
        twins = film.show(person(1, 50), person(1, 350))
    film.cut()
    assert film.show(person(1, 50))[0] not in twins


def test_a_flicker_is_dropped_and_a_person_kept():
    film = Film()
    (flicker,) = film.show(person(1, 100))
    for _ in range(40):
        (track,) = film.show(person(2, 400))
    assert flicker.state == "dropped" and track.state == "kept" and track.hits >= CONFIRM


def test_who_is_in_view_when_the_film_ends_is_kept():
    film = Film()
    (gone,) = film.show(person(1, 100))
    (last,) = film.show(person(2, 400))
    film.cut()
    assert gone.state == "dropped" and last.state == "kept"


def test_looks_compare_only_what_both_show():
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    whole = look(image, np.array([60, 40, 60, 60]))
    low = look(image, np.array([60, 150, 60, 60]))  # the clothes are below the picture
    assert not np.isnan(whole).any() and np.isnan(low[1]).all() and not np.isnan(low[0]).any()
    assert 0 <= look_distance(whole, low) < 0.5 and look_distance(whole, whole) == pytest.approx(0, abs=1e-6)
    assert look_distance(np.full((2, 64), np.nan), whole) == 0.5
