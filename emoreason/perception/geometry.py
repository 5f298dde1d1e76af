"""Facial distances that hold still when the head moves: the mesh is turned to a frontal frame before anything is measured.

The frame is that of MediaPipe's canonical face model (Apache-2.0): x towards the subject's left, y up, z out of the face. Only
points that expressions hardly move (forehead, temples, eye corners, nose bridge) are used to find it, so that a raised
brow or an open mouth does not turn the head. Lengths are in units of the distance between the outer eye corners.
"""

import numpy as np

# Canonical model coordinates (cm) of rigid points: on the midline, and pairs (subject's right index, left index) of which the
# left point is given; the model is symmetric.
_MIDLINE = {10: (8.26, 4.48), 151: (6.55, 5.03), 168: (3.27, 5.24), 6: (2.47, 5.79), 197: (1.73, 6.32), 195: (1.06, 6.77)}
_PAIRS = {
    (33, 263): (4.45, 2.66, 3.17),
    (133, 362): (1.86, 2.59, 3.76),
    (127, 356): (7.74, 2.36, -2.01),
    (234, 454): (7.66, 0.67, -2.44),
    (162, 389): (7.56, 4.11, -0.99),
    (21, 251): (7.09, 5.43, 0.10),
    (54, 284): (6.28, 6.62, 1.43),
    (103, 332): (5.13, 7.49, 2.66),
    (67, 297): (3.52, 8.01, 3.73),
    (109, 338): (1.89, 8.24, 4.27),
}
_OUTER_CORNERS_CM = 2 * 4.45


def _template() -> tuple[np.ndarray, np.ndarray]:
    """Indices [R] of the rigid points and their canonical places [R, 3], centred, in outer-eye-corner distances."""
    places = {index: (0.0, y, z) for index, (y, z) in _MIDLINE.items()}
    for (right, left), (x, y, z) in _PAIRS.items():
        places[right], places[left] = (-x, y, z), (x, y, z)
    xyz = np.array(list(places.values())) / _OUTER_CORNERS_CM  # [R, 3]
    return np.array(list(places)), xyz - xyz.mean(axis=0)


RIGID, TEMPLATE = _template()

# Mesh points of the subject's right side and their mirror images on the left.
_POINTS = {
    "brow_inner": ((55, 107, 66), (285, 336, 296)),
    "brow_mid": ((52, 105), (282, 334)),
    "brow_outer": ((46, 53, 63, 70), (276, 283, 293, 300)),
    "corners": ((33, 133), (263, 362)),
    "lid_upper": ((158, 159, 160), (385, 386, 387)),
    "lid_lower": ((144, 145, 153), (373, 374, 380)),
    "cheek": ((50, 101, 117, 118), (280, 330, 346, 347)),
    "nostril": ((64, 98, 102, 129), (294, 327, 331, 358)),
    "lip_upper": ((37, 39, 40), (267, 269, 270)),
    "lip_lower": ((84, 181, 91), (314, 405, 321)),
    "lip_corner": ((61,), (291,)),
    "lip_upper_edge": ((37,), (267,)),
    "lip_upper_seam": ((81, 82), (311, 312)),
    "bridge": ((6,), (6,)),
    "nose_base": ((2,), (2,)),
    "lip_top": ((0,), (0,)),
    "lip_inner_top": ((13,), (13,)),
    "lip_inner_bottom": ((14,), (14,)),
    "lip_bottom": ((17,), (17,)),
    "chin_boss": ((199, 200), (199, 200)),
    "chin": ((152,), (152,)),
}
# Averages of mesh points as one matrix product: [2 sides x groups, points in use].
_USED = np.unique([index for sides in _POINTS.values() for side in sides for index in side])
_AVERAGE = np.zeros((2, len(_POINTS), len(_USED)), np.float32)
for _g, _sides in enumerate(_POINTS.values()):
    for _s, _indices in enumerate(reversed(_sides)):  # left first
        _AVERAGE[_s, _g, np.searchsorted(_USED, _indices)] = 1 / len(_indices)

_SIDED = (
    "brow_inner_height", "brow_mid_height", "brow_outer_height", "brow_inner_offset", "eye_opening", "upper_lid_height",
    "lower_lid_height", "cheek_height", "cheek_depth", "nostril_height", "nostril_offset", "upper_lip_height",
    "lower_lip_height", "corner_height", "corner_offset", "corner_depth", "corner_nostril", "upper_vermilion",
)  # fmt: skip
_CENTRAL = (
    "nose_length", "upper_lip_length", "upper_lip_thickness", "lower_lip_thickness", "lip_gap", "mouth_height", "jaw_drop",
    "chin_length", "chin_boss_length", "upper_lip_depth", "lower_lip_depth",
)  # fmt: skip
MEASURES: tuple[str, ...] = tuple(f"{name}_{side}" for name in _SIDED for side in ("left", "right")) + _CENTRAL


def align(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and scale that take pixel meshes to the frontal frame.

    landmarks [N, 478, 3] pixels (y down, z towards the camera negative) -> rotation [N, 3, 3], scale [N], so that
    `scale * (points * (1, -1, -1)) @ rotation.transpose(0, 2, 1)` lies in the frontal frame, up to a shift that no
    distance sees. Least squares (Umeyama, IEEE PAMI 13(4), 1991). A degenerate mesh gives NaN.
    """
    rigid = landmarks[:, RIGID].astype(np.float64) * (1, -1, -1)  # [N, R, 3]
    valid = np.isfinite(rigid).all(axis=(1, 2))
    rigid = np.where(valid[:, None, None], rigid, TEMPLATE)
    rigid -= rigid.mean(axis=1, keepdims=True)
    u, singular, vt = np.linalg.svd(np.einsum("rk,nrl->nkl", TEMPLATE, rigid))  # [N, 3, 3]
    handed = np.sign(np.linalg.det(u @ vt))  # [N]
    u[:, :, 2] *= handed[:, None]
    singular[:, 2] *= handed
    spread = (rigid**2).sum(axis=(1, 2))
    scale = np.divide(singular.sum(axis=1), spread, out=np.full(len(rigid), np.nan), where=(spread > 0) & valid)
    return u @ vt, scale


def frontal(landmarks: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Chosen mesh points in the frontal frame: [N, 478, 3] pixels -> [N, len(indices), 3] outer-eye-corner distances."""
    rotation, scale = align(landmarks)
    points = landmarks[:, indices] - landmarks[:, RIGID].mean(axis=1, keepdims=True)
    turned = (points * np.float32((1, -1, -1))) @ rotation.transpose(0, 2, 1).astype(np.float32)  # [N, K, 3]
    return turned * scale[:, None, None].astype(np.float32)


def measure(landmarks: np.ndarray) -> np.ndarray:
    """Pose-compensated distances of each mesh: [N, 478, 3] pixels -> float32 [N, G] in the order of `MEASURES`.

    Unit: distance of the outer eye corners. Heights grow upwards, offsets away from the midline, depths out of the face.
    Rows with NaN landmarks give NaN.
    """
    if landmarks.ndim != 3 or landmarks.shape[1:] != (478, 3):
        raise ValueError(f"landmarks must be [N, 478, 3], got {list(landmarks.shape)}")
    points = np.einsum("sgk,nkc->gnsc", _AVERAGE, frontal(landmarks, _USED), optimize=True)  # [groups, N, 2, 3]
    p = dict(zip(_POINTS, points, strict=True))
    x, y, z = ({name: value[..., axis] for name, value in p.items()} for axis in range(3))  # each [N, 2], left first
    midline = (x["bridge"] + x["nose_base"]) / 2
    outward = np.array([1, -1], np.float32)
    sided = {
        "brow_inner_height": y["brow_inner"] - y["corners"],
        "brow_mid_height": y["brow_mid"] - y["corners"],
        "brow_outer_height": y["brow_outer"] - y["corners"],
        "brow_inner_offset": (x["brow_inner"] - midline) * outward,
        "eye_opening": y["lid_upper"] - y["lid_lower"],
        "upper_lid_height": y["lid_upper"] - y["corners"],
        "lower_lid_height": y["lid_lower"] - y["corners"],
        "cheek_height": y["cheek"] - y["corners"],
        "cheek_depth": z["cheek"] - z["corners"],
        "nostril_height": y["nostril"] - y["corners"],
        "nostril_offset": (x["nostril"] - midline) * outward,
        "upper_lip_height": y["lip_upper"] - y["nose_base"],
        "lower_lip_height": y["lip_lower"] - y["nose_base"],
        "corner_height": y["lip_corner"] - (y["lip_inner_top"] + y["lip_inner_bottom"]) / 2,
        "corner_offset": (x["lip_corner"] - midline) * outward,
        "corner_depth": z["lip_corner"] - z["nose_base"],
        "upper_vermilion": y["lip_upper_edge"] - y["lip_upper_seam"],
        "corner_nostril": np.linalg.norm(p["lip_corner"] - p["nostril"], axis=-1),
    }
    central = {
        "nose_length": y["bridge"] - y["nose_base"],
        "upper_lip_length": y["nose_base"] - y["lip_top"],
        "upper_lip_thickness": np.linalg.norm(p["lip_top"] - p["lip_inner_top"], axis=-1),
        "lower_lip_thickness": np.linalg.norm(p["lip_bottom"] - p["lip_inner_bottom"], axis=-1),
        "lip_gap": np.linalg.norm(p["lip_inner_top"] - p["lip_inner_bottom"], axis=-1),
        "mouth_height": y["lip_top"] - y["lip_bottom"],
        "jaw_drop": y["nose_base"] - y["chin"],
        "chin_length": y["lip_bottom"] - y["chin"],
        "chin_boss_length": y["lip_bottom"] - y["chin_boss"],
        "upper_lip_depth": z["lip_top"] - z["nose_base"],
        "lower_lip_depth": z["lip_bottom"] - z["nose_base"],
    }
    columns = [sided[name] for name in _SIDED] + [central[name][:, :1] for name in _CENTRAL]
    return np.concatenate(columns, axis=1).astype(np.float32)  # [N, G]
