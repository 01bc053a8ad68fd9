"""PoseRecover's published visibility scores (PoseAlign3D, `pose_recover`), vectorised.

The published program loops over points in Python and always uses one colour camera, where this takes that of
each pose; its arithmetic is kept to
the letter: intrinsics times `shrink`, truncation toward zero (so u in (-1, 0) lands on column 0), a buffer of
all points of the scan, an inclusive tolerance of 1 mm, and all points of an object as the divisor. The score
depends on point density and tilt: it compares poses of one object, never objects; it is no visible fraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.zbuffer import z_buffer

TOLERANCE_M = 1e-3


@dataclass(frozen=True)
class ShrunkCamera:
    """A camera as PoseRecover shrinks it: all four intrinsics times a factor, sizes truncated."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of(cls, camera: Pinhole, shrink: float) -> ShrunkCamera:
        """Corner convention (c' = c s), unlike `Pinhole.resized`, as published."""
        size = (int(camera.width * shrink), int(camera.height * shrink))
        return cls(*size, camera.fx * shrink, camera.fy * shrink, camera.cx * shrink, camera.cy * shrink)


def published_scores(
    coord: Float32[np.ndarray, "n 3"],
    instance: Int32[np.ndarray, "n"],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[Pinhole],
    shrink: float,
) -> tuple[Int64[np.ndarray, "ids"], Float32[np.ndarray, "p ids"]]:
    """Sorted ids of `instance` (with -1, if present) and the share of each one's points that each pose sees.

    `poses` map camera to the world of `coord` (metres); `cameras` has the colour camera of each.
    Computed in float64, returned in float32.
    """
    ids = np.unique(instance)
    column = np.searchsorted(ids, instance)
    axes = np.ascontiguousarray(coord.T, dtype=np.float64)
    totals = np.bincount(column, minlength=len(ids))
    scores = np.zeros((len(poses), len(ids)), dtype=np.float32)
    for row, (T_world_cam, camera) in enumerate(zip(poses, cameras, strict=True)):
        seen = _seen(axes, np.linalg.inv(T_world_cam), ShrunkCamera.of(camera, shrink))
        scores[row] = np.bincount(column[seen], minlength=len(ids)) / np.maximum(totals, 1)
    return ids.astype(np.int64), scores


def _seen(
    axes: Float64[np.ndarray, "3 n"], T_cam_world: Float64[np.ndarray, "4 4"], camera: ShrunkCamera
) -> Int64[np.ndarray, "hits"]:
    """Indices of the points within the tolerance of the nearest point on their pixel."""
    z = _row(T_cam_world[2], axes)
    front = np.flatnonzero(z > 0)
    z, near = z[front], axes[:, front]
    u = camera.fx * _row(T_cam_world[0], near) / z + camera.cx
    v = camera.fy * _row(T_cam_world[1], near) / z + camera.cy
    # Truncation puts (-1, 0) on 0. The comparison comes first: casting a huge value is platform dependent.
    inside = (u > -1) & (u < camera.width) & (v > -1) & (v < camera.height)
    pixel = v[inside].astype(np.int64) * camera.width + u[inside].astype(np.int64)
    z = z[inside]
    buffer = z_buffer(pixel, z, camera.width * camera.height)
    hits: np.ndarray = front[inside][z <= buffer[pixel] + TOLERANCE_M]
    return hits


def _row(row: Float64[np.ndarray, "4"], axes: Float64[np.ndarray, "3 n"]) -> Float64[np.ndarray, "n"]:
    # One row of the product: as fast as BLAS here, and never slowed by its threads when cores are busy.
    product: np.ndarray = row[0] * axes[0] + row[1] * axes[1] + row[2] * axes[2] + row[3]
    return product
