import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from face_pictures import face, sample_frame, scene

from emoreason.errors import AssetError
from emoreason.perception import landmarker as module
from emoreason.perception.landmarker import (
    BoxDetector,
    Landmarker,
    Meshes,
    landmarkers_kept,
    let_go,
    quiet,
    still_landmarker,
)


def test_one_face_in_pixels_of_the_picture():
    with Landmarker() as landmarker:
        meshes = landmarker(sample_frame())
    assert meshes.landmarks.shape == (1, 478, 3) and meshes.blendshapes.shape == (1, 52) and meshes.transforms.shape == (1, 4, 4)
    low, high = meshes.landmarks[0].min(0), meshes.landmarks[0].max(0)
    assert 300 < low[0] < high[0] < 600 and 0 < low[1] < high[1] < 360
    assert 0 <= meshes.blendshapes.min() and meshes.blendshapes.max() <= 1


def test_no_face_gives_empty_arrays():
    with Landmarker() as landmarker:
        meshes = landmarker(scene())
    assert len(meshes) == 0 and meshes.landmarks.shape == (0, 478, 3)


def test_video_mode_survives_times_that_do_not_advance():
    with Landmarker(video=True) as landmarker:
        assert [len(landmarker(sample_frame(), time_s)) for time_s in (0.0, 0.0, 0.0001, 1.0)] == [1, 1, 1, 1]


def test_boxes_best_first():
    detector = BoxDetector()
    boxes = detector(scene((20, 40, face(280)), (340, 40, face(280, other=True))))
    detector.close()
    assert len(boxes) == 2 and boxes[0, 4] >= boxes[1, 4]
    centres = sorted(boxes[:, 0] + boxes[:, 2] / 2)
    assert centres[0] < 300 < 340 < centres[1]


def test_wrong_pictures_are_refused():
    sample_frame()
    with Landmarker() as landmarker, pytest.raises(ValueError, match="uint8"):
        landmarker(np.zeros((8, 8), np.uint8))


def test_damaged_bundle_names_the_asset(tmp_path, monkeypatch):
    (tmp_path / "face_landmarker_v2.task").write_bytes(b"no zip")
    monkeypatch.setattr(module.assets, "path", lambda name: tmp_path)
    with pytest.raises(AssetError, match="face-landmarker"):
        BoxDetector()


def test_meshes_are_chosen_and_joined():
    two = Meshes(np.arange(2 * 478 * 3, dtype=np.float32).reshape(2, 478, 3), np.zeros((2, 52)), np.zeros((2, 4, 4)))
    assert len(two[[]]) == 0 and len(Meshes.join([])) == 0
    np.testing.assert_array_equal(Meshes.join([two[[1]], two[:1]]).landmarks, two.landmarks[::-1])


def test_only_known_chatter_is_held_back(capfd):
    with quiet():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nW0000 00:00:17.1 7 graph.cc:1] text\n")
        os.write(2, b"E0000 real trouble\n")
    assert capfd.readouterr().err == "E0000 real trouble\n"


def test_the_warning_of_unaligned_memory_is_held_back_whenever_it_comes(monkeypatch, capfd):
    sample_frame()
    told = threading.Event()
    monkeypatch.setattr(module, "_unaligned_told", told)
    warning = b"W0000 00:00:17.1 7 runner.cc:1] Input tensor memory is not aligned according to requirements.\n"
    picture = scene()
    detector, landmarker = BoxDetector(), Landmarker()
    told.clear()
    landmarker._talked = True  # as after a first face
    for network in (detector, landmarker):
        detect = network._task.detect
        monkeypatch.setattr(network._task, "detect", lambda image, detect=detect: (os.write(2, warning), detect(image))[1])
        network(picture)
        assert capfd.readouterr().err == "" and told.is_set()
        told.clear()
    told.set()
    detector(picture)
    assert capfd.readouterr().err.encode() == warning  # the process has said it: nothing is redirected any more
    detector.close()
    landmarker.close()


def test_a_process_that_finds_a_face_keeps_stderr_clean(tmp_path):
    sample_frame()
    program = (
        "import numpy as np\nfrom emoreason.perception.landmarker import BoxDetector, Landmarker\n"
        "image = np.zeros((200, 200, 3), np.uint8)\n"
        "detector = BoxDetector(); detector(image); detector.close()\n"
        "with Landmarker(video=True) as task: task(image, 0.0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_landmarkers_are_kept_only_meanwhile_and_see_the_same():
    picture = sample_frame()
    fresh = still_landmarker(2)
    with landmarkers_kept():
        kept = still_landmarker(2)
        first = kept(picture)
        let_go(kept)
        assert still_landmarker(2) is kept is not still_landmarker(1)
        np.testing.assert_array_equal(kept(picture).landmarks, first.landmarks)
        np.testing.assert_array_equal(fresh(picture).landmarks, first.landmarks)
    after = still_landmarker(2)
    assert after is not kept
    let_go(after)
    let_go(fresh)
