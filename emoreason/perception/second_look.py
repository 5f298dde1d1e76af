"""A second, closer look where the video loop sees no face. What it finds counts only if the mirrored picture shows it too."""

import cv2
import numpy as np

from emoreason.perception.landmarker import BoxDetector, Landmarker, Meshes, let_go, still_landmarker

_VIEW = 256  # side of the enlarged view: the mesh network's own input size
_GREY, _BLACK = 128, 0
# Views of a picture that is itself a face crop, tried in turn: padding on each side (the detector wants surroundings), fill,
# turn in degrees. Of 400 FER+ faces the first finds 97 % (edge or mirror padding: 93 %), all together 99 %.
_LADDER = (
    (0.25, _GREY, 0),
    (0.5, _GREY, 0),
    (0.25, _BLACK, 0),
    (0.125, _GREY, 0),
    (0.5, _BLACK, 0),
    (0.25, _GREY, 20),
    (0.25, _GREY, -20),
)
_UNVOUCHED = 2  # views tried where nobody says that the picture is a face: each further one also invents some
# Views of a place where a face was just now: network, padding, turn. Of 43 frames of a dark film clip with a bowed head, near
# profile, the upright view finds 14, turned by 20 degrees to either side 23 and 21.
_NEAR = (("sure", 0.5, 0), ("sure", 0.75, 20), ("sure", 0.75, -20), ("weak", 0.5, 0))
NEAR_OVERLAP = 0.3
# Points on the midline of the face, which keep their meaning in the mirror: forehead, bridge, tip, upper and lower lip, chin.
_MIDLINE = [10, 168, 1, 0, 17, 152]
# Mean distance of those points between picture and mirrored picture, as a share of face height. Real faces: median 0.008,
# 99 % below 0.028 (145 FER+ faces); texture taken for a face: 45 of 62 are not seen in the mirror at all, the rest are at 0.03
# and more. Where the caller vouches for a face, a poorly fitting mesh is still better than none.
MIRROR_LIMIT, VOUCHED_LIMIT = 0.03, 0.06
_TILE, _STRIDE = 0.62, 0.4  # side of a tile as a share of the shorter side of the frame; step at most, as a share of that side
MIN_FACE_PX = 12  # below this many original pixels between the outer eye corners there is nothing to read


def view_matrix(box: np.ndarray, padding: float, turn_deg: float = 0.0) -> np.ndarray:
    """[2, 3] picture -> square view of `box` (x, y, w, h) with `padding` shares of its longer side added on each side."""
    x, y, width, height = (float(value) for value in box)
    scale = _VIEW / (max(width, height) * (1 + 2 * padding))
    matrix = cv2.getRotationMatrix2D((x + width / 2 - 0.5, y + height / 2 - 0.5), turn_deg, scale)
    matrix[:, 2] += _VIEW / 2 - 0.5 - np.array([x + width / 2 - 0.5, y + height / 2 - 0.5])
    return matrix


def view(image: np.ndarray, matrix: np.ndarray, fill: int = _GREY) -> np.ndarray:
    """The view as uint8 [256, 256, 3]. Large regions are shrunk by area first, else fine texture would alias."""
    scale = float(np.hypot(matrix[0, 0], matrix[0, 1]))
    if scale < 0.5:
        small = cv2.resize(image, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        fx, fy = image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]
        matrix = matrix @ np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1]])
        image = small
    return cv2.warpAffine(image, matrix, (_VIEW, _VIEW), flags=cv2.INTER_CUBIC, borderValue=(fill,) * 3)


def back(meshes: Meshes, matrix: np.ndarray) -> Meshes:
    """Meshes of a view in pixels of the picture, head poses turned back."""
    inverse = cv2.invertAffineTransform(matrix)
    scale = float(np.hypot(inverse[0, 0], inverse[0, 1]))
    landmarks = meshes.landmarks.copy()
    landmarks[..., :2] = meshes.landmarks[..., :2] @ inverse[:, :2].T + inverse[:, 2]
    landmarks[..., 2] *= scale
    transforms = meshes.transforms.copy()
    turn = np.eye(3)
    turn[:2, :2] = inverse[:, :2] / scale * np.array([[1, -1], [-1, 1]])  # the picture's y points down, the camera's up
    transforms[:, :3, :3] = turn @ meshes.transforms[:, :3, :3]
    return Meshes(landmarks.astype(np.float32), meshes.blendshapes, transforms.astype(np.float32))


def mesh_boxes(landmarks: np.ndarray) -> np.ndarray:
    """[n, 478, 3] -> [n, 4]: x, y, width, height of the landmarks' extent."""
    low, high = landmarks[..., :2].min(axis=-2), landmarks[..., :2].max(axis=-2)
    return np.concatenate([low, np.maximum(high - low, 1e-3)], axis=-1)


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[n, 4], [m, 4] -> [n, m] intersection over union."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    return common / (a[:, 2:].prod(-1)[:, None] + b[:, 2:].prod(-1)[None] - common)


class SecondLook:
    """Holds the still-picture networks; each is made when first needed."""

    def __init__(self) -> None:
        self._tasks: dict[str, Landmarker | BoxDetector] = {}

    def near(self, image: np.ndarray, box: np.ndarray) -> Meshes:
        """The face that was last seen at `box`, from enlarged views. No or one face, in pixels of `image`."""
        for task, padding, turn in _NEAR:
            meshes = self._view(task, image, box, padding, turn=turn)
            if len(meshes) and overlap(mesh_boxes(meshes.landmarks), box[None])[0, 0] > NEAR_OVERLAP:
                return meshes
        return Meshes.none()

    def confirmed(self, image: np.ndarray, meshes: Meshes) -> Meshes:
        """Those of the meshes that a closer view and its mirror image show too."""
        boxes = mesh_boxes(meshes.landmarks)
        return meshes[[i for i, box in enumerate(boxes) if len(self._view("weak", image, box, 0.5))]]

    def anywhere(self, image: np.ndarray, most: int) -> Meshes:
        """Faces in enlarged tiles of the frame, largest score first."""
        boxes = np.concatenate([self._task("boxes")(image[y : y + s, x : x + s]) + [x, y, 0, 0, 0] for x, y, s in tiles(image)])
        boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
        found: list[Meshes] = []
        for box in boxes[: 2 * most, :4]:
            taken = np.concatenate([mesh_boxes(meshes.landmarks) for meshes in found]) if found else np.zeros((0, 4))
            if len(found) < most and not (overlap(box[None], taken) > 0.3).any():
                meshes = self._view("weak", image, box, 0.5)
                if len(meshes) and not (overlap(mesh_boxes(meshes.landmarks), taken) > 0.3).any():
                    found.append(meshes)
        return Meshes.join(found)

    def crop(self, image: np.ndarray, vouched: bool) -> Meshes:
        """The face of a picture that is little else; `vouched`: the caller says that there is one. No or one face."""
        box = np.array([0, 0, image.shape[1], image.shape[0]], np.float32)
        limit = VOUCHED_LIMIT if vouched else MIRROR_LIMIT
        for padding, fill, turn in _LADDER if vouched else _LADDER[:_UNVOUCHED]:
            meshes = self._view("weak", image, box, padding, fill, turn, limit)
            if len(meshes):
                return meshes
        for padding, fill, turn in _LADDER if vouched else ():  # profiles have no mirror image; place and size must do
            meshes = self._view("sure", image, box, padding, fill, turn)
            if len(meshes) and overlap(mesh_boxes(meshes.landmarks), box[None])[0, 0] > NEAR_OVERLAP:
                return meshes
        return Meshes.none()

    def close(self) -> None:
        for task in self._tasks.values():
            let_go(task)
        self._tasks.clear()

    def _view(
        self,
        task: str,
        image: np.ndarray,
        box: np.ndarray,
        padding: float,
        fill: int = _GREY,
        turn: float = 0,
        limit: float = MIRROR_LIMIT,
    ) -> Meshes:
        """One look. `sure` takes what the detector is confident of, `weak` whatever the mirror confirms."""
        matrix = view_matrix(box, padding, turn)
        seen = view(image, matrix, fill)
        meshes = self._task(task)(seen)
        if len(meshes) and task == "weak" and self._mirror_error(seen, meshes) > limit:
            return Meshes.none()
        return back(meshes, matrix)

    def _mirror_error(self, seen: np.ndarray, meshes: Meshes) -> float:
        mirrored = self._task("weak")(np.ascontiguousarray(seen[:, ::-1]))
        if not len(mirrored):
            return np.inf
        here, there = meshes.landmarks[0, _MIDLINE, :2], mirrored.landmarks[0, _MIDLINE, :2].copy()
        there[:, 0] = seen.shape[1] - there[:, 0]
        return float(np.abs(here - there).mean() / np.ptp(meshes.landmarks[0, :, 1]))

    def _task(self, name: str) -> Landmarker | BoxDetector:
        if name not in self._tasks:
            make = {
                "sure": lambda: still_landmarker(),
                "weak": lambda: still_landmarker(confidence=0.1, presence=0.1),
                "boxes": lambda: BoxDetector(0.3),
            }
            self._tasks[name] = make[name]()
        return self._tasks[name]


def tiles(image: np.ndarray) -> list[tuple[int, int, int]]:
    """(x, y, side) of overlapping squares covering the frame."""
    height, width = image.shape[:2]
    side = max(1, round(_TILE * min(height, width)))
    places = []
    for length in (width, height):
        count = 1 + int(np.ceil((length - side) / (_STRIDE * min(height, width))))
        places.append(np.linspace(0, length - side, count).round().astype(int))
    return [(int(x), int(y), side) for y in places[1] for x in places[0]]
