"""How many pixels of a picture an object fills, from the measured depth image and the mesh's vertices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply
from vantage.records.objects import ScanPoints
from vantage.recover.scores import column_of

#: `visible_px` counts pixels of the colour image resized to this edge.
MODEL_EDGE = 64


class PixelLabels:
    """Counts the pixels of each object in a depth image, by the nearest vertex of the scan's mesh.

    A depth pixel belongs to the object of the mesh vertex nearest to its 3D point, if that vertex is within
    `radius_m`. The image is cut into cells of `stride` x `stride` pixels, and the measured pixel nearest
    to a cell's centre stands for it. Cells outside the colour image do not count; a cell of nothing but holes
    belongs to nobody, so what the sensor cannot measure counts few pixels.
    """

    def __init__(
        self,
        points: ScanPoints,
        object_ids: Int64[np.ndarray, "ids"],
        stride: int,
        radius_m: float,
    ) -> None:
        from scipy.spatial import cKDTree

        # The room is the better part of all pixels, so its vertices take part in the search, as column -1.
        self._tree: Any = cKDTree(points.coord, balanced_tree=False, compact_nodes=False)
        self._column = np.append(column_of(points.instance, object_ids), -1)
        self._n_ids, self._radius, self._stride = len(object_ids), radius_m, stride

    def count(
        self,
        depth: Float32[np.ndarray, "h w"],
        T_world_cam: Float64[np.ndarray, "4 4"],
        depth_camera: Pinhole,
        color_camera: Pinhole,
    ) -> Float32[np.ndarray, "ids"]:
        """Pixels of each object in a depth image (m, 0 = hole), in units of a 64 x 64 colour image."""
        cells = _cells(depth_camera, color_camera, self._stride)
        flat, chosen = depth.ravel(), cells.pixels[:, 0].copy()
        z = flat[chosen]
        for candidate in cells.pixels.T[1:]:
            holes = np.flatnonzero(z <= 0)
            chosen[holes] = candidate[holes]
            z[holes] = flat[chosen[holes]]
        use = z > 0
        p_world = apply(T_world_cam, cells.rays[chosen[use]] * z[use].astype(np.float64)[:, None])
        _, nearest = self._tree.query(p_world, distance_upper_bound=self._radius)
        column = self._column[nearest]  # beyond the radius the tree answers with n, the appended -1
        return (np.bincount(column[column >= 0], minlength=self._n_ids) * cells.area).astype(np.float32)


@dataclass(frozen=True)
class _Cells:
    """Cells of a depth image: flat indices of each one's pixels from its centre outwards; the ray (z = 1) of
    every pixel; and the pixels of the model's image that a cell stands for."""

    pixels: Int64[np.ndarray, "cells candidates"]
    rays: Float64[np.ndarray, "pixels 3"]
    area: float


# A scan has one pair of cameras, or one for each frame; a frame's is used once.
@lru_cache(maxsize=2)
def _cells(depth_camera: Pinhole, color_camera: Pinhole, stride: int) -> _Cells:
    pixels = _pixels(depth_camera, stride)
    n_pixels, n_cells = depth_camera.width * depth_camera.height, len(pixels)
    rays = depth_camera.rays().reshape(-1, 3)
    uv, _ = color_camera.project(rays[pixels[:, 0]])
    model = color_camera.resized(MODEL_EDGE, MODEL_EDGE)
    # The two images differ by an axis-wise scale.
    area = n_pixels / n_cells * (model.fx * model.fy) / (depth_camera.fx * depth_camera.fy)
    return _Cells(pixels[color_camera.inside(uv)], rays, area)


def _pixels(camera: Pinhole, stride: int) -> Int64[np.ndarray, "cells candidates"]:
    """Flat pixel indices of each stride x stride cell of the image, from the cell's centre outwards."""
    first = stride // 2
    rows = np.arange(min(first, camera.height - 1), camera.height, stride)
    columns = np.arange(min(first, camera.width - 1), camera.width, stride)
    steps = range(-first, stride - first)
    offsets = sorted(((dv, du) for dv in steps for du in steps), key=lambda d: (d[0] ** 2 + d[1] ** 2, d))
    v = np.clip(rows[:, None, None] + [dv for dv, _ in offsets], 0, camera.height - 1)
    u = np.clip(columns[None, :, None] + [du for _, du in offsets], 0, camera.width - 1)
    return (v * camera.width + u).reshape(-1, len(offsets))
