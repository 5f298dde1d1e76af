from concurrent.futures import Future

import numpy as np
from face_pictures import sample_frame

from emoreason.perception.landmarker import Landmarker
from emoreason.perception.observation import FACE_COLUMNS
from emoreason.perception.rows import LOOP, WHOLE, Ledger, mesh_rows, whole_picture_row
from emoreason.perception.tracks import Sighting, Track

COMPUTED_LATER = {"geometry", "gaze"}


def rows(n: int = 1, done: bool = True) -> Future:
    made = Future()
    if done:
        finish(made, n)
    return made


def finish(made: Future, n: int) -> None:
    made.set_result({"found": np.full(n, LOOP, np.uint8), "quality": np.ones((n, 4), np.float32), "mark": np.arange(n)})


def track(state: str) -> Track:
    return Track(Sighting(np.zeros(4)), 0.0, state=state)


def test_columns_are_those_of_the_table():
    with Landmarker() as landmarker:
        meshes = landmarker(sample_frame())
    for made in (mesh_rows(sample_frame(), 0.5, meshes, [LOOP]), whole_picture_row(sample_frame(), 0.5)):
        assert set(made) == set(FACE_COLUMNS) - COMPUTED_LATER - {"sample", "face_id"}
        for name, column in made.items():
            dtype, shape, _ = FACE_COLUMNS[name]
            assert column.dtype == dtype and column.shape == (1, *shape), name


def test_landmarks_come_back_from_box_and_share():
    with Landmarker() as landmarker:
        meshes = landmarker(sample_frame())
    made = mesh_rows(sample_frame(), 0.5, meshes, [LOOP])
    box, shares = made["box"][:, None], made["landmarks"].astype(np.float32)
    again = np.concatenate([shares[..., :2] * box[..., 2:] + box[..., :2], shares[..., 2:] * box[..., 2:3]], axis=-1)
    np.testing.assert_allclose(again, meshes.landmarks / 0.5, atol=0.3)  # original pixels; float16 of a 400 px face
    assert shares[..., :2].min() == 0 and shares[..., :2].max() == 1


def test_a_whole_picture_claims_no_measurement():
    made = whole_picture_row(sample_frame(), 1.0)
    assert made["found"][0] == WHOLE and made["box"][0].tolist() == [0, 0, 640, 360]
    assert all(np.isnan(made[name]).all() for name in ("landmarks", "blendshapes", "pose")) and np.isnan(made["quality"][0, 0])


def test_ids_follow_first_appearance_and_undecided_rows_wait():
    out = []
    ledger, early, late = Ledger(out.append), track("new"), track("kept")
    ledger.add(0, rows(), [early])
    ledger.add(1, rows(2), [late, early])
    assert out == []  # `late` is decided, but may not overtake
    early.state = "kept"
    ledger.release()
    assert [part["face_id"].tolist() for part in out] == [[1], [2, 1]]
    assert [part["sample"].tolist() for part in out] == [[0], [1, 1]]
    assert (ledger.counts.rows, ledger.counts.frames) == (3, 2)


def test_dropped_tracks_leave_no_row_and_no_id():
    out = []
    ledger, ghost, real = Ledger(out.append), track("dropped"), track("kept")
    ledger.add(0, rows(), [ghost])
    ledger.add(1, rows(2), [ghost, real])
    assert [part["face_id"].tolist() for part in out] == [[1]] and out[0]["mark"].tolist() == [1]


def test_rows_in_the_making_are_waited_for_in_order():
    out = []
    ledger, real = Ledger(out.append), track("kept")
    slow = rows(done=False)
    ledger.add(0, slow, [real])
    ledger.add(1, rows(), [real])
    assert out == []
    finish(slow, 1)
    ledger.release(wait=True)
    assert [part["sample"].tolist() for part in out] == [[0], [1]]
