from dataclasses import replace

import numpy as np
import pytest
from face_pictures import FrameClip, face, sample_frame, scene

from emoreason import assets
from emoreason.media import Clip
from emoreason.perception.faces import distinct, read_faces
from emoreason.perception.landmarker import Meshes
from emoreason.perception.observation import FOUND
from emoreason.perception.settings import PerceptionSettings

SETTINGS = PerceptionSettings()


def read(clip, **changes):
    """(log, column name -> all rows)."""
    parts = []
    log = read_faces(clip, replace(SETTINGS, **changes), parts.append)
    names = parts[0] if parts else ("sample", "face_id", "found", "box")
    return log, {name: np.concatenate([part[name] for part in parts]) if parts else np.zeros(0) for name in names}


def codes(log) -> set[str]:
    return {note.code for note in log.notes}


def test_a_real_clip_has_one_person_throughout():
    sample_frame()
    clip = Clip(assets.path("sample-clip") / "WolfgangLanger_Pexels.mp4")
    told = []
    rows = []
    log = read_faces(clip, replace(SETTINGS, fps=3.0), rows.append, told.append)
    ids = np.concatenate([part["face_id"] for part in rows])
    assert set(ids.tolist()) == {1} and len(ids) == len(log.sample_times_s) == log.counts.frames
    assert (np.diff(np.concatenate([part["sample"] for part in rows])) == 1).all()
    assert log.cuts_s == () and 1 <= len(log.scene_times_s) <= 2 and log.notes == ()
    assert told == log.sample_times_s.tolist()


def test_two_people_cross_and_keep_their_ids():
    one, two = face(170), face(170, other=True)
    steps = 36
    images = []
    for i in range(steps):
        x = round(10 + 450 * i / (steps - 1))
        images.append(scene((470 - x, 10, two), (x, 170, one)))
    log, rows = read(FrameClip(images))
    ids, boxes = rows["face_id"], rows["box"]
    assert set(ids.tolist()) == {1, 2} and log.counts.frames == steps
    for person in (1, 2):
        path = boxes[ids == person, 0]
        assert len(path) >= 0.8 * steps
        assert (np.sign(np.diff(path)) == np.sign(path[-1] - path[0])).mean() > 0.9  # each goes on its own way


def test_a_brief_disappearance_and_shot_reverse_shot():
    one = scene((60, 20, face(300)), colour=(40, 60, 90))
    two = scene((300, 20, face(300, other=True)), colour=(150, 120, 60))
    hidden = scene(colour=(40, 60, 90))
    images = [one] * 6 + [hidden] * 6 + [one] * 6 + [two] * 10 + [one] * 6
    log, rows = read(FrameClip(images))
    who = dict(zip(rows["sample"].tolist(), rows["face_id"].tolist(), strict=True))
    assert [who.get(i) for i in (0, 5, 8, 13, 20, 27, 30)] == [1, 1, None, 1, 2, 2, 1]
    assert any(abs(cut_s - 18 / 12) < 0.01 for cut_s in log.cuts_s) and any(abs(cut_s - 28 / 12) < 0.01 for cut_s in log.cuts_s)


def test_a_second_person_who_comes_later_is_seen_within_a_second():
    alone, both = scene((20, 40, face(260))), scene((20, 40, face(260)), (350, 40, face(260, other=True)))
    _, rows = read(FrameClip([alone] * 6 + [both] * 24))
    first = rows["sample"][rows["face_id"] == 2].min()
    assert 6 <= first <= 6 + 13


def test_small_distant_face_needs_the_second_look():
    images = [scene((900 + i, 420, face(75)), size=(1280, 720)) for i in range(14)]
    without, _ = read(FrameClip(images), second_pass=False)
    log, rows = read(FrameClip(images))
    assert without.counts.frames == 0 and "no_face" in codes(without)
    assert log.counts.frames >= 12 and set(rows["found"].tolist()) == {FOUND.index("second_pass")}


def test_small_faces_are_noted():
    log, _ = read(FrameClip([scene((60, 30, face(50)), size=(180, 110))] * 4))
    assert log.counts.frames == 4 and "small_faces" in codes(log)


def test_frames_without_a_face_give_no_rows():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (180, 320, 3), dtype=np.uint8) for _ in range(8)] + [scene()] * 8
    log, rows = read(FrameClip(images))
    assert len(rows["sample"]) == 0 and codes(log) == {"no_face"} and len(log.sample_times_s) == 16


def test_boxes_are_in_original_pixels():
    image = scene((120, 20, face(300)))
    _, plain = read(FrameClip([image] * 4))
    _, scaled = read(FrameClip([image] * 4, scale=0.5))
    np.testing.assert_allclose(scaled["box"], 2 * plain["box"], rtol=1e-5)
    np.testing.assert_array_equal(scaled["landmarks"], plain["landmarks"])  # of the same pixels: the scale has no part in them


def test_the_same_clip_gives_the_same_rows():
    images = [scene((100 + 3 * i, 20, face(280))) for i in range(10)]
    (_, first), (_, second) = read(FrameClip(images)), read(FrameClip(images))
    assert all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def test_stills(tmp_path):
    picture = FrameClip([scene((20, 40, face(280)), (330, 40, face(280, other=True)))], kind="picture")
    _, rows = read(picture)
    assert rows["face_id"].tolist() == [1, 2]
    log, rows = read(FrameClip([face(96)[22:76, 20:74]], kind="picture"))
    assert len(rows["box"]) == 1 and log.counts.whole == 0


@pytest.mark.parametrize(("cropped", "whole"), [(None, 0), (False, 0), (True, 1)])
def test_a_picture_is_taken_whole_only_if_the_caller_vouches(cropped, whole):
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    log, rows = read(FrameClip([noise], kind="picture"), cropped_faces=cropped)
    assert log.counts.whole == whole and ("whole_picture" in codes(log)) == bool(whole)
    assert ("no_face" in codes(log)) == (not whole)


def test_a_dark_clip_says_so():
    dark = (scene((120, 20, face(300))) * 0.2).astype(np.uint8)
    assert "dark" in codes(read(FrameClip([dark] * 4))[0])


def test_sound_has_no_faces():
    log, rows = read(FrameClip([], kind="audio", has_video=False))
    assert len(log.sample_times_s) == 0 and len(rows["sample"]) == 0


def test_a_decoder_that_fails_is_heard():
    class Broken(FrameClip):
        def sample(self, fps, max_side=None):
            yield from super().sample(fps, max_side)
            raise OSError("broken file")

    with pytest.raises(OSError, match="broken file"):
        read(Broken([scene()] * 3))


def test_repeated_meshes_count_once():
    one = np.random.default_rng(0).uniform(0, 100, (1, 478, 3)).astype(np.float32)
    meshes = Meshes(np.concatenate([one, one + 3, one + 200]), np.zeros((3, 52)), np.zeros((3, 4, 4)))
    assert len(distinct(meshes)) == 2 and len(distinct(meshes, first=2)) == 3
