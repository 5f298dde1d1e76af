"""Looks: the largest face of a frame as it is found at first sight, before it is known who it is."""

from dataclasses import dataclass

import numpy as np

from emoreason.media.clip import Frame
from emoreason.perception.landmarker import Meshes
from emoreason.perception.pose import head_pose
from emoreason.perception.regions import aligned_crop, on_crop
from emoreason.perception.second_look import mesh_boxes

PATCH_PX, PATCH_MARGIN = 128, 0.3  # what is kept of a face: enough for any crop that is cut out of it later


@dataclass(frozen=True)
class Look:
    """image: uint8 [H, W, 3] around the face; mesh: [478, 3] in its pixels; blendshapes [52]; pose [3] degrees."""

    time_s: float
    image: np.ndarray
    mesh: np.ndarray
    blendshapes: np.ndarray
    pose: np.ndarray


def look_at(frame: Frame, meshes: Meshes) -> Look:
    """Of the largest of at least one face."""
    boxes = mesh_boxes(meshes.landmarks)
    largest = int((boxes[:, 2] * boxes[:, 3]).argmax())
    mesh = meshes.landmarks[largest]
    return Look(
        frame.time_s,
        aligned_crop(frame.image, mesh, PATCH_PX, PATCH_MARGIN),
        on_crop(mesh, PATCH_PX, PATCH_MARGIN),
        meshes.blendshapes[largest],
        head_pose(meshes.transforms[largest]),
    )
