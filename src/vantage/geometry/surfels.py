"""Surfels: a scan's points as small discs in their surface, which hide what lies behind them.

Points alone hide nothing: between them one sees through. A disc that reaches to its neighbours closes the
surface whatever the density, and since it lies in the surface, its depth is right on every pixel whatever the
tilt. Discs stand for the mean of the points of a voxel, so that noise does not tilt them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Int64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.voxels import voxel_keys

#: Edge (m) of the voxels whose points make one surfel. Twice the spacing of ScanNet's meshes at most.
VOXEL_M = 0.02
#: Neighbours that span a surfel's plane, and the one that its disc reaches to. Larger discs overhang the
#: edges of what they stand for, smaller ones leave holes: of points scattered at random, discs to the third
#: neighbour leave a share of exp(-3) uncovered. On rooms of boxes it gave the smallest error.
NEIGHBOURS, REACH = 12, 3


@dataclass(frozen=True)
class Surfels:
    """Discs, and the disc of every point.

    Attributes:
        center: metres, in the world of the points.
        normal: unit vectors; which of the two sides is arbitrary.
        radius: metres; 0 where a lone point has no neighbours to span a surface.
        rough: how far its neighbours lie off the disc's plane (m, root mean square).
        of_point: the disc of each point.
    """

    center: Float64[np.ndarray, "m 3"]
    normal: Float64[np.ndarray, "m 3"]
    radius: Float64[np.ndarray, "m"]
    rough: Float64[np.ndarray, "m"]
    of_point: Int64[np.ndarray, "n"]

    @classmethod
    def of(cls, coord: Float32[np.ndarray, "n 3"]) -> Surfels:
        """Discs of finite points."""
        from scipy.spatial import cKDTree

        center, of_point = _means(coord)
        m = len(center)
        k = min(NEIGHBOURS + 1, m)
        if k < 4:
            flat = np.tile([0.0, 0.0, 1.0], (m, 1))
            return cls(center, flat, np.zeros(m), np.zeros(m), of_point)
        tree: Any = cKDTree(center)
        distance, near = tree.query(center, k=k)
        offset = center[near] - center[near].mean(axis=1, keepdims=True)
        variance, axes = np.linalg.eigh(np.einsum("mki,mkj->mij", offset, offset) / k)
        reach = distance[:, min(REACH, k - 1)]
        # A stray point near a surface is as small as the surface's points, not as large as its distance.
        radius = np.minimum(reach, 2 * np.median(reach[near], axis=1))
        rough = np.sqrt(np.maximum(variance[:, 0], 0))
        return cls(center, np.ascontiguousarray(axes[:, :, 0]), radius, rough, of_point)

    def drawn(
        self, T_cam_world: Float[np.ndarray, "4 4"], camera: Pinhole, near_m: float, grown: float = 1.0
    ) -> tuple[
        Float64[np.ndarray, "{camera.height} {camera.width}"],
        Int32[np.ndarray, "{camera.height} {camera.width}"],
    ]:
        """Depth (m, inf for none) and index (-1 for none) of the nearest disc at each pixel's centre.

        A disc's depth is that of its plane where the pixel's ray meets it, so it is right whatever the tilt.
        Discs nearer than `near_m` are not drawn; radii are multiplied by `grown`.
        """
        from vantage.geometry.splat import splat

        shape = (camera.height, camera.width)
        buffer, front = np.empty(shape), np.empty(shape, dtype=np.int32)
        radius, pinhole = self.radius * grown, np.array(camera.intrinsics)
        splat(self.center, self.normal, radius, T_cam_world, pinhole, near_m, buffer, front)
        return buffer, front


def _means(coord: Float32[np.ndarray, "n 3"]) -> tuple[Float64[np.ndarray, "m 3"], Int64[np.ndarray, "n"]]:
    """Mean of the points of each voxel, and the voxel of each point."""
    lowest = coord.min(axis=0, initial=np.inf).astype(np.float64)
    try:
        keys, voxel = np.unique(voxel_keys(coord - lowest, VOXEL_M), return_inverse=True)
    except ValueError as error:
        hint = "are the points in metres, and is one of them astray?"
        raise ScanError(
            "the points span more than 20 km", found=coord.max(axis=0) - lowest, hint=hint
        ) from error
    count = np.maximum(np.bincount(voxel, minlength=len(keys)), 1)
    sums = [np.bincount(voxel, coord[:, axis].astype(np.float64), len(keys)) for axis in range(3)]
    return np.stack(sums, axis=1) / count[:, None], voxel
