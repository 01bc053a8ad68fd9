"""Depth images of a point cloud: what its points show to a camera, and holes where it shows nothing."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from vantage.geometry.camera import Pinhole
from vantage.geometry.surfels import Surfels
from vantage.geometry.transforms import invert

#: Points nearer than this (m) are not drawn.
NEAR_M = 0.1
#: Radii, in those of the discs that reach a point's neighbours. What hides must close the gaps between
#: points, and hides a little too much beside edges; what is seen must lie near a point, and leaves holes.
HIDES, SHOWS = 1.5, 0.5
#: A disc is hidden by what is in front of its surface by more than this (m), its roughness, and this share of
#: its radius, at a right angle to it.
OFF_SURFACE_M, SPACING_SHARE = 0.01, 0.3
#: A surface seen at less than this sine of an angle is as uncertain in depth as at this one.
GRAZING = 0.1


class CloudDepth:
    """Depth images of a scan's points.

    A pixel is measured where its ray passes close to a point (half the distance to its neighbours) that
    nothing hides. Discs that reach beyond the neighbours hide what is behind, however sparse the points are.
    """

    def __init__(self, coord: Float32[np.ndarray, "n 3"]) -> None:
        self._discs = Surfels.of(coord)

    def image(
        self, T_world_cam: Float[np.ndarray, "4 4"], camera: Pinhole
    ) -> Float32[np.ndarray, "{camera.height} {camera.width}"]:
        """Depth (m, 0 for holes) from a pose in the world of the points."""
        discs, T = self._discs, invert(T_world_cam)
        ahead, _ = discs.drawn(T, camera, NEAR_M, HIDES)
        depth, disc = discs.drawn(T, camera, NEAR_M, SHOWS)
        rays = camera.rays()
        across = np.einsum("hwk,hwk->hw", (discs.normal @ T[:3, :3].T)[disc], rays)
        sine = np.maximum(np.abs(across) / np.linalg.norm(rays, axis=-1), GRAZING)
        slack = OFF_SURFACE_M + discs.rough[disc] + SPACING_SHARE * discs.radius[disc]
        shown = (disc >= 0) & (depth <= ahead + slack / sine)
        return np.where(shown, depth, 0.0).astype(np.float32)
