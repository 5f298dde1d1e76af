"""The frame table: one row per face and sampled frame, and one row with success 0 for a sampled frame without a face.

Two vocabularies. `pyfeat` (default): the column names of py-feat, angles in degrees, units 0..1. `openface`: those of
OpenFace 2 as far as measured, angles in radians in its camera frame (x to the right of the picture, y down, z away).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emoreason.labels.action_units import ACTIVE, AUS
from emoreason.labels.emotions import CIRCUMPLEX, EMOTIONS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from emoreason.report.schema import ReportData

ROWS = 20_000  # per chunk: about 10 MB of numbers, whatever the length of the clip

# Intensities and presences that OpenFace 2 writes, in its order.
OPENFACE_R = tuple(f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))
OPENFACE_C = OPENFACE_R[:-1] + ("AU28", "AU45")

_PYFEAT = {
    "input": "path of the file",
    "frame": "index of the frame in presentation order",
    "timestamp": "presentation time of the frame, seconds",
    "face_id": "1, 2, ... in order of first appearance; empty without a face",
    "FaceRectX": "left edge of the face, pixels of the upright frame",
    "FaceRectY": "top edge, pixels",
    "FaceRectWidth": "pixels",
    "FaceRectHeight": "pixels",
    "FaceScore": "quality of the face (size, sharpness, brightness), 0..1",
    "success": "1 with a face, else 0",
    "Pitch": "head, degrees, + up",
    "Roll": "head, degrees, + to the subject's left",
    "Yaw": "head, degrees, + to the subject's left",
    "gaze_yaw": "eyes in head, degrees, + to the subject's left",
    "gaze_pitch": "eyes in head, degrees, + up",
    **{au: "smoothed intensity 0..1, stronger side; empty where it cannot be measured" for au in AUS},
    **{emotion: "probability in this frame; the eight sum to 1; empty where nothing scored it" for emotion in EMOTIONS},
    "valence": "-1..1, derived from the eight probabilities",
    "arousal": "-1..1, derived from the eight probabilities",
}
_OPENFACE = {
    "frame": _PYFEAT["frame"],
    "face_id": _PYFEAT["face_id"],
    "timestamp": _PYFEAT["timestamp"],
    "confidence": _PYFEAT["FaceScore"],
    "success": _PYFEAT["success"],
    "gaze_angle_x": "eyes in camera frame, radians, + to the subject's left",
    "gaze_angle_y": "eyes in camera frame, radians, + down",
    "pose_Rx": "head pitch, radians, + down",
    "pose_Ry": "head yaw, radians, + to the subject's right",
    "pose_Rz": "head roll, radians, + to the subject's left",
    **{f"{au}_r": "intensity 0..5: five times the smoothed intensity, stronger side" for au in OPENFACE_R},
    **{f"{au}_c": "1 where the unit counts as present" for au in OPENFACE_C},
}
_INTEGERS = {"frame", "face_id", "success", *(f"{au}_c" for au in OPENFACE_C)}


@dataclass(frozen=True)
class _Rows:
    """One chunk. R rows; NaN where there is no face or no measurement."""

    path: str
    frame: np.ndarray  # [R]
    time_s: np.ndarray  # [R]
    face_id: np.ndarray  # [R] NaN without a face
    box: np.ndarray  # [R, 4] px
    quality: np.ndarray  # [R]
    pose: np.ndarray  # [R, 3] pitch, yaw, roll in degrees
    gaze: np.ndarray  # [R, 2] yaw, pitch in degrees
    units: np.ndarray  # [R, A]
    emotions: np.ndarray  # [R, 8]

    @property
    def success(self) -> np.ndarray:
        return np.isfinite(self.face_id).astype(float)


def columns(vocabulary: str = "pyfeat") -> dict[str, str]:
    """Column name -> meaning, in order. Raises ValueError for an unknown vocabulary."""
    known = {name: docs for name, (docs, _) in _VOCABULARIES.items()}
    if vocabulary not in known:
        raise ValueError(f"unknown columns {vocabulary!r}: choose one of {', '.join(known)}")
    return known[vocabulary]


def schema(vocabulary: str = "pyfeat") -> "pa.Schema":
    """Arrow schema; each field carries its meaning as metadata."""
    import pyarrow as pa

    def field(name: str, meaning: str) -> pa.Field:
        kind = pa.string() if name == "input" else pa.int32() if name in _INTEGERS else pa.float64()
        return pa.field(name, kind, metadata={"description": meaning})

    return pa.schema([field(name, meaning) for name, meaning in columns(vocabulary).items()])


def chunks(report: "ReportData", vocabulary: str = "pyfeat", rows: int = ROWS) -> Iterator["pa.Table"]:
    """The table in pieces of at most `rows` rows, in order of time, then face. Raises ValueError without measurements."""
    import pyarrow as pa

    layout = schema(vocabulary)
    build = _VOCABULARIES[vocabulary][1]
    for part in _parts(report, rows):
        arrays = build(part)
        yield pa.table([pa.array(arrays[field.name], field.type, from_pandas=True) for field in layout], schema=layout)


def frames(report: "ReportData", vocabulary: str = "pyfeat") -> "pd.DataFrame":
    """The whole table. `face_id` and presences are nullable integers."""
    import pandas as pd
    import pyarrow as pa

    table = pa.concat_tables([schema(vocabulary).empty_table(), *chunks(report, vocabulary)])
    return table.to_pandas(types_mapper={pa.int32(): pd.Int32Dtype()}.get)


def _parts(report: "ReportData", rows: int) -> Iterator[_Rows]:
    observation = report.observation
    faces = observation.faces
    sample, face_id = faces.column("sample"), faces.column("face_id")
    position = np.zeros(len(sample), int)  # of a row of the face table within its person's track
    for person in observation.people:
        position[person.indices] = np.arange(len(person.indices))
    empty = np.setdiff1d(np.arange(len(observation.sample_times_s)), sample)
    samples = np.concatenate([sample, empty])
    indices = np.concatenate([np.arange(len(sample)), np.full(len(empty), -1)])
    order = np.lexsort((indices, np.concatenate([face_id, 0 * empty]), samples))
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows]
        yield _part(report, samples[chosen], indices[chosen], face_id, position)


def _part(report: "ReportData", sample: np.ndarray, index: np.ndarray, face_id: np.ndarray, position: np.ndarray) -> _Rows:
    """sample, index: [R] frame and row of the face table (-1 without a face) of each row wanted."""
    observation = report.observation
    faces, seen = observation.faces, index >= 0
    index = index[seen]

    def spread(values: np.ndarray) -> np.ndarray:
        full = np.full((len(seen), *values.shape[1:]), np.nan)
        full[seen] = values
        return full

    units = np.full((len(index), len(AUS)), np.nan)
    emotions = np.full((len(index), len(EMOTIONS)), np.nan)
    for person in observation.people:
        mine = face_id[index] == person.face_id
        at = position[index[mine]]
        if len(at):
            series = person.action_units
            units[np.ix_(mine, [AUS.index(au) for au in series.aus])] = series.intensity[at].max(axis=-1)
            if person.person in report.frame_probabilities:
                emotions[mine] = report.frame_probabilities[person.person][at]

    def column(name: str, width: int) -> np.ndarray:
        return faces.rows(name, index) if len(index) else np.zeros((0, width))

    return _Rows(
        path=report.source.path,
        frame=observation.sample_frames[sample],
        time_s=observation.sample_times_s[sample],
        face_id=spread(face_id[index].astype(float)),
        box=spread(column("box", 4)),
        quality=spread(column("quality", 4)[:, 3]),
        pose=spread(column("pose", 3)),
        gaze=spread(column("gaze", 2)),
        units=spread(units),
        emotions=spread(emotions),
    )


def _pyfeat(part: _Rows) -> dict[str, np.ndarray]:
    circumplex = np.array([CIRCUMPLEX[emotion] for emotion in EMOTIONS])  # [8, 2]
    affect = part.emotions @ circumplex  # [R, 2]
    box, pose, gaze = part.box.round(2), part.pose.round(3), part.gaze.round(3)
    values = [np.full(len(part.frame), part.path, object), part.frame, part.time_s.round(6), part.face_id, *box.T]
    values += [part.quality.round(4), part.success, pose[:, 0], pose[:, 2], pose[:, 1], gaze[:, 0], gaze[:, 1]]
    values += [*part.units.round(4).T, *part.emotions.round(4).T, *affect.round(4).T]
    return dict(zip(_PYFEAT, values, strict=True))


def _openface(part: _Rows) -> dict[str, np.ndarray]:
    rotation = np.radians(part.pose) * (-1, -1, 1)  # [R, 3] Rx down, Ry to the subject's right, Rz to the subject's left
    values = [part.frame, part.face_id, part.time_s.round(6), part.quality.round(4), part.success]
    values += [*_gaze_angles(rotation, np.radians(part.gaze)).round(4).T, *rotation.round(4).T]
    values += [(5 * part.units[:, AUS.index(au)]).round(3) for au in OPENFACE_R]
    present = np.where(np.isnan(part.units), np.nan, part.units >= ACTIVE)
    values += [present[:, AUS.index(au)] for au in OPENFACE_C]
    return dict(zip(_OPENFACE, values, strict=True))


def _gaze_angles(rotation: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """[R, 2] of the line of sight in the camera frame: the head's rotation Rx Ry Rz applied to the eyes' direction in the head.

    OpenFace: angle_x = atan2(x, -z), angle_y = atan2(y, -z), where a face looks along -z.
    """
    yaw, pitch = gaze.T
    sight = np.stack([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), -np.cos(yaw) * np.cos(pitch)])  # [3, R]
    (cx, cy, cz), (sx, sy, sz) = np.cos(rotation.T), np.sin(rotation.T)
    x, y, z = cz * sight[0] - sz * sight[1], sz * sight[0] + cz * sight[1], sight[2]  # Rz
    x, z = cy * x + sy * z, -sy * x + cy * z  # Ry
    y, z = cx * y - sx * z, sx * y + cx * z  # Rx
    return np.stack([np.arctan2(x, -z), np.arctan2(y, -z)], axis=1)


_VOCABULARIES: dict[str, tuple[dict[str, str], Callable[[_Rows], dict[str, np.ndarray]]]] = {
    "pyfeat": (_PYFEAT, _pyfeat),
    "openface": (_OPENFACE, _openface),
}
