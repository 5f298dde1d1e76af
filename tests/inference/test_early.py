"""Provisional verdicts while a film is being read: when, of what, and that nothing depends on them."""

import threading

import numpy as np
import pytest

from emoreason.inference import early
from emoreason.inference.early import STRETCH_S, EarlyVerdict, EarlyVerdicts, told_early
from emoreason.media.clip import Frame
from emoreason.perception.landmarker import Meshes
from emoreason.perception.regions import aligned_crop


class Judge:
    """Names the emotion that it was told to, and remembers the looks."""

    def __init__(self, emotion="sadness"):
        self.emotion, self.looks = emotion, []

    def glance(self, looks):
        self.looks.append(looks)
        return self.emotion, {self.emotion: 0.9}


def face(scale: float = 1.0, at: float = 100.0) -> Meshes:
    rng = np.random.default_rng(0)
    points = rng.random((1, 478, 3)).astype(np.float32) * 100 * scale + at
    return Meshes(points, np.full((1, 52), scale, np.float32), np.eye(4, dtype=np.float32)[None])


def frame(time_s: float) -> Frame:
    return Frame(round(time_s * 10), time_s, np.full((400, 400, 3), 90, np.uint8), 1.0)


def watch(judge, told, seconds: float, meshes: Meshes, close_at: float | None = None) -> None:
    verdicts = EarlyVerdicts(lambda: judge, told.append)
    for step in range(round(seconds * 10)):
        verdicts.look(frame(step / 10), meshes)
    verdicts.close(close_at)


def test_each_stretch_is_told_once_and_the_rest_at_the_end():
    judge, told = Judge(), []
    watch(judge, told, 12.0, face(), close_at=12.0)
    assert [(one.start_s, one.end_s) for one in told] == [(0.0, 5.0), (5.0, 10.0), (10.0, 12.0)]
    assert all(one == EarlyVerdict(one.start_s, one.end_s, "sadness", {"sadness": 0.9}) for one in told)
    times = [look.time_s for looks in judge.looks for look in looks]
    assert times == sorted(times) and min(np.diff(times)) >= early.LOOKS_S - 1e-6 and len(judge.looks[0]) == 10


def test_the_largest_face_counts():
    small, large = face(0.3, at=10.0), face(1.5)
    judge, told = Judge(), []
    watch(judge, told, 1.0, Meshes.join([small, large]), close_at=1.0)
    look = judge.looks[0][0]
    assert look.blendshapes[0] == 1.5 and look.mesh.shape == (478, 3)
    again = aligned_crop(look.image, look.mesh, 48)
    assert again.shape == (48, 48, 3), "a judge can cut its own crop out of what was kept"


def test_without_a_face_nothing_is_told():
    judge, told = Judge(), []
    watch(judge, told, 12.0, Meshes.none(), close_at=12.0)
    assert told == [] and judge.looks == []


def test_the_film_does_not_wait_for_a_judge_that_is_still_loading():
    loaded, told, judge = threading.Event(), [], Judge()

    def load():
        assert loaded.wait(20)
        return judge

    verdicts = EarlyVerdicts(load, told.append)
    for step in range(120):
        verdicts.look(frame(step / 10), face())
    assert told == []
    loaded.set()
    verdicts.close(12.0)
    assert len(told) == 3


def test_what_the_listener_raises_ends_the_reading():
    def refuse(_):
        raise ValueError("enough")

    verdicts = EarlyVerdicts(Judge, refuse)
    with pytest.raises(ValueError, match="enough"):
        for step in range(1000):
            verdicts.look(frame(step * STRETCH_S), face())
    verdicts.close()


def test_neighbours_that_show_the_same_are_one():
    spans = [(0, 5, "sadness"), (5, 10, "sadness"), (10, 15, None), (15, 18, "happiness")]
    line = told_early([EarlyVerdict(start, end, emotion, {}) for start, end, emotion in spans])
    assert line == "so far, provisionally: sadness (0–10 s), nothing clear (10–15 s), happiness (15–18 s)"
