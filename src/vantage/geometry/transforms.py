"""Rigid transforms as 4x4 matrices. `T_a_b` maps coordinates of frame b to frame a."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Float64

Matrix4 = Float64[np.ndarray, "4 4"]

#: Camera axes (x right, y down, z forward) to ego axes (x forward, y left, z up).
R_FLU_RDF = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

#: Camera axes as OpenGL has them (x right, y up, z back) to x right, y down, z forward.
R_RDF_RUB = np.diag([1.0, -1.0, -1.0])


def compose(R: Float[np.ndarray, "3 3"], t: Float[np.ndarray, "3"]) -> Matrix4:
    """The transform p -> R p + t."""
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = t
    return T


def invert(T: Float[np.ndarray, "4 4"]) -> Matrix4:
    """The inverse of a rigid transform, by transposing its rotation."""
    R, t = np.asarray(T[:3, :3], dtype=np.float64), np.asarray(T[:3, 3], dtype=np.float64)
    return compose(R.T, -R.T @ t)


def apply(T: Float[np.ndarray, "4 4"], p: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
    """Points of frame b in frame a, for T_a_b. Computed in float64."""
    matrix = np.asarray(T, dtype=np.float64)
    return np.asarray(p, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def is_rigid(T: Float[np.ndarray, "r c"], tol: float = 1e-3) -> bool:
    """Whether T is 4x4, finite, last row (0, 0, 0, 1), axes orthogonal and determinant 1 within `tol`."""
    matrix = np.asarray(T, dtype=np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        return False
    R = matrix[:3, :3]
    orthogonal = bool(np.abs(R.T @ R - np.eye(3)).max() <= tol)
    last = bool(np.abs(matrix[3] - (0.0, 0.0, 0.0, 1.0)).max() <= tol)
    return orthogonal and last and abs(float(np.linalg.det(R)) - 1) <= tol


def nearest_rotation(matrix: Float[np.ndarray, "3 3"]) -> Float64[np.ndarray, "3 3"]:
    """The rotation nearest to a matrix (least squares); `matrix` itself but for rounding when it is one."""
    u, _, vt = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    return np.asarray(u @ vt)


def from_yaw(yaw: float, t: Float[np.ndarray, "3"] | tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Matrix4:
    """Rotation by `yaw` (radians, counter-clockwise seen from above) about z, then translation by `t` (m)."""
    c, s = math.cos(yaw), math.sin(yaw)
    R = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return compose(R, np.asarray(t, dtype=np.float64))


def yaw_of(T_world_ego: Float[np.ndarray, "4 4"]) -> float:
    """Heading (radians, in (-pi, pi]) of an ego frame: the direction of its x axis seen from above."""
    return math.atan2(float(T_world_ego[1, 0]), float(T_world_ego[0, 0]))


def wrap(angle: float) -> float:
    """The angle in [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi


def level_ego(T_world_cam: Float[np.ndarray, "4 4"]) -> Matrix4:
    """T_world_ego of the `ego_level` frame: on the floor (z = 0) under the camera, x along its view, z up.

    The world must have z up and its floor at z = 0. A camera that looks straight down faces where the top
    of its image points; straight up, where the bottom points.
    """
    T = np.asarray(T_world_cam, dtype=np.float64)
    forward, down = T[:3, 2], T[:3, 1]
    x, y = float(forward[0]), float(forward[1])
    if math.hypot(x, y) < 1e-6:
        sign = 1.0 if forward[2] > 0 else -1.0
        x, y = sign * float(down[0]), sign * float(down[1])
    return from_yaw(math.atan2(y, x), (float(T[0, 3]), float(T[1, 3]), 0.0))


def camera_ego(T_world_cam: Float[np.ndarray, "4 4"]) -> Matrix4:
    """T_world_ego of the `ego_camera` frame: the camera's axes as x forward, y left, z up (PoseAlign)."""
    T = np.asarray(T_world_cam, dtype=np.float64)
    return compose(T[:3, :3] @ R_FLU_RDF.T, T[:3, 3])
