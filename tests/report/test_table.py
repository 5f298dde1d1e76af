"""The frame table: every sampled frame is in it, values sit in the row of their face, names and signs are as documented."""

import numpy as np
import pyarrow as pa
import pytest
from observations import make_observation
from report_fixtures import make_report, probabilities, two_people

from emoreason.labels.emotions import CIRCUMPLEX, EMOTIONS
from emoreason.report.table import OPENFACE_C, OPENFACE_R, chunks, columns, frames, schema


@pytest.fixture(scope="module")
def report():
    return make_report()


def test_one_row_per_face_and_one_for_a_frame_without_any(report):
    table, observation = report.frames(), report.observation
    faceless = np.setdiff1d(np.arange(len(observation.sample_times_s)), observation.faces.column("sample"))
    assert len(table) == len(observation.faces) + len(faceless) and len(faceless) == 6
    assert list(table.loc[table["success"] == 0, "frame"]) == list(faceless)
    assert table.loc[table["success"] == 0, "face_id":"arousal"].drop(columns="success").isna().all(axis=None)
    assert table["timestamp"].is_monotonic_increasing and not table.duplicated(["frame", "face_id"]).any()


def test_values_are_those_of_the_face(report):
    table = report.frames()
    for person in report.observation.people:
        mine = table[table["face_id"] == person.face_id]
        np.testing.assert_allclose(mine["timestamp"], person.times_s, atol=1e-6)
        np.testing.assert_allclose(mine["AU12"], person.action_units.of("AU12"), atol=1e-4)
        np.testing.assert_allclose(mine["AU04"], person.action_units.of("AU04"), atol=1e-4)
        np.testing.assert_allclose(mine["FaceRectX"], person.boxes[:, 0], atol=0.01)
        expected = probabilities(report.observation)[person.person]
        np.testing.assert_allclose(mine[list(EMOTIONS)], expected, atol=1e-4)
        np.testing.assert_allclose(mine["valence"], expected @ [CIRCUMPLEX[e][0] for e in EMOTIONS], atol=1e-3)
    assert set(table[table["face_id"] == 1]["Yaw"]) == {-12.0} and set(table[table["face_id"] == 1]["gaze_pitch"]) == {-6.0}


def test_chunks_join_to_the_same_table(report):
    pieces = list(chunks(report, rows=17))
    assert max(map(len, pieces)) == 17 and all(piece.schema == schema() for piece in pieces)
    assert pa.concat_tables(pieces).equals(pa.concat_tables(chunks(report)))


def test_without_a_model_emotions_are_empty_not_zero():
    report = make_report().attach(two_people(), {})
    assert report.frames()[[*EMOTIONS, "valence", "arousal"]].isna().all(axis=None)


def test_sound_only_gives_a_table_without_rows_but_with_columns():
    table = make_report(make_observation(3, has_video=False, voice={"pitch": (200.0, "typical")})).frames()
    assert len(table) == 0 and list(table) == list(columns())


def test_every_column_is_described():
    for vocabulary in ("pyfeat", "openface"):
        assert all(field.metadata[b"description"] for field in schema(vocabulary))
    with pytest.raises(ValueError, match="pyfeat, openface"):
        columns("facereader")


def test_openface_names_scale_and_presence(report):
    table = frames(report, "openface")
    assert list(table)[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert [name for name in table if name.endswith("_c")] == [f"{au}_c" for au in OPENFACE_C] and "AU28_r" not in table
    mine = table[table["face_id"] == 1]
    series = report.observation.people[0].action_units
    for au in OPENFACE_R:
        np.testing.assert_allclose(mine[f"{au}_r"].astype(float), 5 * series.of(au), atol=1e-3)
    assert list(mine["AU12_c"] == 1) == list(series.of("AU12") >= 0.25)


@pytest.mark.parametrize(
    ("pose", "gaze", "expected"),
    [
        ((10, 0, 0), (0, 0), {"pose_Rx": -10, "gaze_angle_y": -10}),  # head up: OpenFace counts down
        ((0, 10, 0), (0, 0), {"pose_Ry": -10, "gaze_angle_x": 10}),  # head to the subject's left: right in the picture
        ((0, 0, 10), (0, 0), {"pose_Rz": 10}),
        ((0, 0, 0), (10, 0), {"gaze_angle_x": 10}),
        ((0, 0, 0), (0, 10), {"gaze_angle_y": -10}),
        ((0, 20, 0), (-20, 0), {"pose_Ry": -20}),  # eyes stay on the camera while the head turns
        ((0, 0, 90), (10, 0), {"pose_Rz": 90, "gaze_angle_y": 10}),  # lying on the left side, the subject's left is down
    ],
)
def test_openface_angles(pose, gaze, expected):
    row = frames(make_report(make_observation(1, people=[{"pose": pose, "gaze": gaze}])), "openface").iloc[0]
    names = ("pose_Rx", "pose_Ry", "pose_Rz", "gaze_angle_x", "gaze_angle_y")
    assert {name: round(float(np.degrees(row[name]))) for name in names} == dict.fromkeys(names, 0) | expected
