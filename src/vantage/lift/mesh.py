"""Depth images of a mesh: a ray cast through every pixel."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32, Int32

from vantage.geometry.camera import Pinhole
from vantage.geometry.open3d_library import open3d


class MeshDepth:
    """Depth images of a triangle mesh (m) by Open3D's ray casting; exact, for the mesh as it is."""

    def __init__(self, vertices: Float32[np.ndarray, "n 3"], faces: Int32[np.ndarray, "f 3"]) -> None:
        o3d = open3d()
        self._tensor = o3d.core.Tensor
        self._scene = o3d.t.geometry.RaycastingScene()
        self._scene.add_triangles(
            self._tensor(np.ascontiguousarray(vertices, dtype=np.float32)),
            self._tensor(np.ascontiguousarray(faces, dtype=np.uint32)),
        )

    def image(
        self, T_world_cam: Float[np.ndarray, "4 4"], camera: Pinhole
    ) -> Float32[np.ndarray, "{camera.height} {camera.width}"]:
        """Depth (m, 0 where no triangle is met) from a pose in the world of the mesh."""
        rays = np.empty((camera.height, camera.width, 6), dtype=np.float32)
        rays[..., :3] = T_world_cam[:3, 3]
        # Rays have z = 1 along the axis: the t of a hit is its depth.
        rays[..., 3:] = camera.rays() @ T_world_cam[:3, :3].T
        depth: np.ndarray = self._scene.cast_rays(self._tensor(rays))["t_hit"].numpy()
        return np.where(np.isfinite(depth), depth, np.float32(0))
