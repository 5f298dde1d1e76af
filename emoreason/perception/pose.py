"""Head pose from MediaPipe's facial transformation matrix."""

import numpy as np


def head_pose(transform: np.ndarray) -> np.ndarray:
    """[..., 4, 4] canonical face -> camera; returns [..., 3]: pitch (+ up), yaw and roll (+ to the subject's left), degrees.

    The camera frame has x to the right of the picture, y up, z towards the viewer. The face looks along its own +z, so its
    image gives pitch and yaw directly; the subject's left is the right of an unmirrored picture, hence yaw = atan2(x, z).
    With R = Ry(yaw) Rx(-pitch) Rz(-roll), a positive roll carries the crown towards the subject's left shoulder.
    """
    rotation = transform[..., :3, :3]
    rotation = rotation / np.linalg.norm(rotation, axis=-2, keepdims=True)  # the matrix also scales
    pitch = np.arcsin(np.clip(rotation[..., 1, 2], -1, 1))
    yaw = np.arctan2(rotation[..., 0, 2], rotation[..., 2, 2])
    roll = -np.arctan2(rotation[..., 1, 0], rotation[..., 1, 1])
    return np.degrees(np.stack([pitch, yaw, roll], axis=-1)).astype(np.float32)
