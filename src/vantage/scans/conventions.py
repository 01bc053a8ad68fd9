"""What a stored pose means: which way it maps, and how the camera's axes lie.

Recordings agree on little. Everything here ends in one convention: `T_world_cam`, camera axes x right,
y down, z forward. `vantage doctor scan` tests a recording against all of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float64

from vantage.geometry.transforms import R_RDF_RUB, Matrix4, compose, invert

PoseDirection = Literal["camera_to_world", "world_to_camera"]

CameraAxes = Literal["opencv", "opengl", "left_up", "mirrored"]
"""How the camera's axes lie in a stored pose.

- `opencv`: x right, y down, z forward.
- `opengl`: x right, y up, z back.
- `left_up`: x left, y up, z forward.
- `mirrored`: x right, y up, z forward, which is left-handed, in a world that is left-handed too (ICL-NUIM).
"""

Up = Literal["x", "-x", "y", "-y", "z", "-z"]
"""The axis of a world that points away from the ground."""

POSE_DIRECTIONS: tuple[PoseDirection, ...] = get_args(PoseDirection)
CAMERA_AXES: tuple[CameraAxes, ...] = get_args(CameraAxes)
UPS: tuple[Up, ...] = get_args(Up)

_R_STORED_RDF = {
    "opencv": np.eye(3),
    "opengl": R_RDF_RUB.T,
    "left_up": np.diag([-1.0, -1.0, 1.0]),
}
_MIRROR_Y = np.diag([1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Convention:
    """How a recording stores poses and depth.

    Attributes:
        poses: which way a stored matrix maps.
        camera_axes: the axes of its camera.
        depth_units_per_m: stored depth units per metre; 0 where a file of the recording tells.
        up: the axis of the world (after `T_world_cam`) that points up; None where nobody says.
    """

    poses: PoseDirection = "camera_to_world"
    camera_axes: CameraAxes = "opencv"
    depth_units_per_m: float = 1000.0
    up: Up | None = None

    def T_world_cam(self, stored: Float[np.ndarray, "4 4"]) -> Matrix4:
        """A stored pose as camera (x right, y down, z forward) to world; what is not finite stays as it is.

        With `mirrored` axes the world is mirrored too (its y axis turned round), so that it is right-handed.
        """
        T = np.asarray(stored, dtype=np.float64)
        if not np.isfinite(T).all():
            return T
        if self.poses == "world_to_camera":
            T = invert(T)
        if self.camera_axes == "mirrored":
            return np.asarray(_MIRROR_Y @ T @ _MIRROR_Y)
        return np.asarray(T @ compose(_R_STORED_RDF[self.camera_axes], np.zeros(3)))

    def stored(self, T_world_cam: Float[np.ndarray, "4 4"]) -> Matrix4:
        """The inverse of `T_world_cam`: the matrix that this convention stores."""
        T = np.asarray(T_world_cam, dtype=np.float64)
        if not np.isfinite(T).all():
            return T
        if self.camera_axes == "mirrored":
            T = _MIRROR_Y @ T @ _MIRROR_Y
        else:
            T = T @ compose(_R_STORED_RDF[self.camera_axes].T, np.zeros(3))
        return invert(T) if self.poses == "world_to_camera" else np.asarray(T)


def axis_of(up: Up) -> Float64[np.ndarray, "3"]:
    """The unit vector of a signed axis."""
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1.0 if up.startswith("-") else 1.0
    return axis


def level_rotation(up: Up) -> Float64[np.ndarray, "3 3"]:
    """The rotation that turns the axis `up` of a world to z, about a horizontal axis or by half a turn."""
    return rotation_to_z(axis_of(up))


def rotation_to_z(direction: Float[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """The smallest rotation that turns a direction to z; half a turn about x for -z."""
    d = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    if d[2] < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    v = np.array([d[1], -d[0], 0.0])  # d x z
    cross = np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])
    return np.asarray(np.eye(3) + cross + cross @ cross / (1.0 + d[2]))
