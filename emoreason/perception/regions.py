"""Regions of the face mesh and aligned crops. Sides are the subject's own: left is on the right of an unmirrored picture."""

from functools import cache

import cv2
import numpy as np

# Outer eye corners, inner eye corners, mouth corners: indices into MediaPipe's 478-point mesh.
RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER = 33, 133, 362, 263
RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER = 61, 291
LEFT_IRIS, RIGHT_IRIS = tuple(range(473, 478)), tuple(range(468, 473))
# MediaPipe's tables name no cheeks and split no jaw: these are read off its published mesh map.
_LEFT_CHEEK = (280, 330, 266, 425, 411, 427, 352, 346, 347, 329, 371, 423)
_RIGHT_CHEEK = (50, 101, 36, 205, 187, 207, 123, 117, 118, 100, 142, 203)
_CHIN = (18, 83, 182, 106, 313, 406, 335, 200, 201, 421, 199, 208, 428, 175, 171, 396)
_JAW_TOP = 58, 288  # the oval below these two (mouth height) is jaw

# Where the anchor points come to lie in a crop without margin, as a share of its side: (x, y) of the subject's right eye
# centre, left eye centre, mouth centre. Brows and chin of an average face just fit.
_ANCHORS = np.array([[0.28, 0.36], [0.72, 0.36], [0.5, 0.8]], np.float32)


@cache
def regions() -> dict[str, tuple[int, ...]]:
    """Landmark indices of each region, in mesh order: the groups the face-region encoder asks about."""
    from mediapipe.tasks.python.vision import FaceLandmarksConnections as Table

    def points(*tables) -> set[int]:
        return {index for table in tables for line in table for index in (line.start, line.end)}

    oval = [line.start for line in Table.FACE_LANDMARKS_FACE_OVAL]  # a closed walk from the forehead over the subject's left
    first, last = sorted(oval.index(index) for index in _JAW_TOP)
    groups = {
        "left_brow": points(Table.FACE_LANDMARKS_LEFT_EYEBROW),
        "right_brow": points(Table.FACE_LANDMARKS_RIGHT_EYEBROW),
        "left_eye": points(Table.FACE_LANDMARKS_LEFT_EYE, Table.FACE_LANDMARKS_LEFT_IRIS) | {LEFT_IRIS[0]},
        "right_eye": points(Table.FACE_LANDMARKS_RIGHT_EYE, Table.FACE_LANDMARKS_RIGHT_IRIS) | {RIGHT_IRIS[0]},
        "nose_cheeks": points(Table.FACE_LANDMARKS_NOSE) | {*_LEFT_CHEEK, *_RIGHT_CHEEK},
        "mouth": points(Table.FACE_LANDMARKS_LIPS),
        "chin_jaw": {*oval[first : last + 1], *_CHIN},
    }
    return {name: tuple(sorted(group)) for name, group in groups.items()}


def anchors(landmarks: np.ndarray) -> np.ndarray:
    """[..., 478, >=2] -> [..., 3, 2]: centres of the subject's right eye, left eye and mouth."""
    pairs = [(RIGHT_EYE_OUTER, RIGHT_EYE_INNER), (LEFT_EYE_OUTER, LEFT_EYE_INNER), (RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER)]
    return np.stack([(landmarks[..., a, :2] + landmarks[..., b, :2]) / 2 for a, b in pairs], axis=-2)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares rotation + scale + shift (no mirror) taking `source` [n, 2] onto `target` [n, 2]: [2, 3].

    Closed form with complex numbers: the planar case of Umeyama (1991).
    """
    a, b = (points[:, 0] + 1j * points[:, 1] for points in (source.astype(float), target.astype(float)))
    spread = a - a.mean()
    power = np.vdot(spread, spread).real
    turn = np.vdot(spread, b - b.mean()) / power if power > 0 else 1.0
    shift = b.mean() - turn * a.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def crop_matrix(landmarks: np.ndarray, size: int, margin: float = 0.1) -> np.ndarray:
    """[2, 3] picture pixels -> crop pixels. `margin`: free share added on each side of the tight face."""
    target = ((_ANCHORS - 0.5) / (1 + 2 * margin) + 0.5) * size
    return similarity(anchors(landmarks), target)


def on_crop(landmarks: np.ndarray, size: int, margin: float = 0.1) -> np.ndarray:
    """Landmarks [478, 3] in pixels of a picture -> pixels of its `aligned_crop`; z keeps the scale of x and y."""
    matrix = crop_matrix(landmarks, size, margin)
    flat = landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([flat, landmarks[:, 2:] * np.hypot(matrix[0, 0], matrix[1, 0])], axis=1)


def aligned_crop(image: np.ndarray, landmarks: np.ndarray, size: int = 112, margin: float = 0.1) -> np.ndarray:
    """The face upright and centred: eyes and mouth on fixed places, outside the picture mid-grey.

    image: uint8 [H, W, 3]; landmarks: [478, >=2] in pixels of that image. Returns uint8 [size, size, 3]. A picture much
    larger than the crop is shrunk before warping, else thin lines would alias.
    """
    matrix = crop_matrix(landmarks, size, margin)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        image, matrix = _shrunk(image, matrix, size)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderValue=(128, 128, 128))


def _shrunk(image: np.ndarray, matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of the picture that the crop shows, shrunk by a whole number (fast, exact means), and the matrix from there."""
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], float)
    seen = corners @ cv2.invertAffineTransform(matrix).T
    limit = (image.shape[1], image.shape[0])
    x0, y0 = np.clip(np.floor(seen.min(0)) - 2, 0, limit).astype(int)
    x1, y1 = np.clip(np.ceil(seen.max(0)) + 2, 0, limit).astype(int)
    step = int(1 / np.hypot(matrix[0, 0], matrix[1, 0]))
    width, height = (x1 - x0) // step, (y1 - y0) // step
    if min(width, height) < 1:  # the face lies outside the picture
        return image, matrix
    part = cv2.resize(image[y0 : y0 + height * step, x0 : x0 + width * step], (width, height), interpolation=cv2.INTER_AREA)
    half = (step - 1) / 2  # keeps pixel centres in place
    return part, matrix @ np.array([[step, 0, half + x0], [0, step, half + y0], [0, 0, 1]])


def aligned_crops(images: list[np.ndarray], landmarks: np.ndarray, size: int = 112, margin: float = 0.1) -> np.ndarray:
    """`aligned_crop` of [n] pictures and [n, 478, >=2] landmarks: uint8 [n, size, size, 3]."""
    crops = [aligned_crop(image, points, size, margin) for image, points in zip(images, landmarks, strict=True)]
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)
