"""Pictures of a room: Open3D casts the rays, a compiled kernel shades what they meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole
from vantage.geometry.open3d_library import open3d
from vantage.scans.generated.room import Room
from vantage.scans.generated.surfaces import Surfaces, surfaces_of
from vantage.scans.generated.triangles import triangles_of


@dataclass(frozen=True)
class Views:
    """Pictures of V poses: colour sRGB; depth along the optical axis in metres, 0 where nothing was met;
    object ids, -1 for ceiling, pictures and nothing."""

    color: UInt8[np.ndarray, "V H W 3"]
    depth: Float32[np.ndarray, "V H W"]
    ids: Int32[np.ndarray, "V H W"]


@dataclass(frozen=True)
class DepthViews:
    """What a depth camera needs of V views: metres, cosine of incidence, brightness (0-255), object."""

    depth: Float32[np.ndarray, "V H W"]
    incidence: Float32[np.ndarray, "V H W"]
    brightness: Float32[np.ndarray, "V H W"]
    ids: Int32[np.ndarray, "V H W"]


# Where in a pixel the rays go (in pixels); the first runs through its centre. Five rays with all rows and
# columns different smooth edges nearly as well as nine on a grid.
_PATTERNS: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.0, 0.0),),
    5: ((0.0, 0.0), (-0.4, 0.2), (-0.2, -0.4), (0.2, 0.4), (0.4, -0.2)),
    9: ((0.0, 0.0), *((x / 3, y / 3) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y)),
}


class Scene:
    """A room ready to be rendered, on one thread."""

    def __init__(self, room: Room, seed: int) -> None:
        """`seed` decides the decoration: materials, pictures, light. Builds the ray caster (about 2 ms)."""
        o3d = open3d()
        self.room = room
        self.surfaces: Surfaces = surfaces_of(room, seed)
        self.triangles = triangles_of(self.surfaces)
        self._tensor = o3d.core.Tensor
        self._caster = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._caster.add_triangles(
            self._tensor(self.triangles.vertices.astype(np.float32)),
            self._tensor(self.triangles.faces.astype(np.uint32)),
        )

    def views(self, poses: Float[np.ndarray, "V 4 4"], camera: Pinhole, supersample: int = 1) -> Views:
        """Colour, depth and object ids from poses `T_aligned_cam`.

        Colour is the mean of `supersample` rays a pixel (1, 5 or 9; else ParameterError); depth and ids are
        those of the ray through the pixel's centre.
        """
        from vantage.scans.generated.shade import color_image

        rays, t, primitive = self._cast(poses, camera, supersample)
        shape = (len(poses), camera.height, camera.width)
        color = np.empty((*shape, 3), np.uint8)
        depth = np.empty(shape, np.float32)
        ids = np.empty(shape, np.int32)
        s = self.surfaces
        color_image(
            rays, t, primitive, 1.0 / (min(camera.fx, camera.fy) * supersample**0.5),
            self.triangles.part, self.triangles.normal,
            s.frame, s.rgb, s.material, s.seed, s.object_id, s.light,
            color, depth, ids,
        )  # fmt: skip
        return Views(color, depth, ids)

    def depth_views(self, poses: Float[np.ndarray, "V 4 4"], camera: Pinhole) -> DepthViews:
        """Depth, incidence, brightness and object ids from poses `T_aligned_cam`, noise-free."""
        from vantage.scans.generated.kernels import depth_image

        rays, t, primitive = self._cast(poses, camera, 1)
        shape = (len(poses), camera.height, camera.width)
        depth, incidence, brightness = (np.empty(shape, np.float32) for _ in range(3))
        ids = np.empty(shape, np.int32)
        s = self.surfaces
        luminance = s.rgb @ np.array([0.299, 0.587, 0.114])
        depth_image(
            rays, t, primitive, self.triangles.part, self.triangles.normal, luminance, s.object_id,
            depth, incidence, brightness, ids,
        )  # fmt: skip
        return DepthViews(depth, incidence, brightness, ids)

    def _cast(
        self, poses: Float[np.ndarray, "V 4 4"], camera: Pinhole, supersample: int
    ) -> tuple[
        Float32[np.ndarray, "V H W s 6"], Float32[np.ndarray, "V H W s"], Int32[np.ndarray, "V H W s"]
    ]:
        """Rays, distances along them (inf: nothing met) and the triangles met."""
        from vantage.scans.generated.kernels import fill_rays

        if supersample not in _PATTERNS:
            raise ParameterError(
                "this number of rays a pixel has no pattern",
                where="supersample",
                expected="1, 5 or 9",
                found=str(supersample),
            )
        T = np.ascontiguousarray(poses, dtype=np.float64)
        rays = np.empty((len(T), camera.height, camera.width, supersample, 6), np.float32)
        pinhole = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
        fill_rays(T, pinhole, np.array(_PATTERNS[supersample]), rays)
        hits = self._caster.cast_rays(self._tensor.from_numpy(rays), nthreads=1)
        return rays, hits["t_hit"].numpy(), hits["primitive_ids"].numpy().view(np.int32)


def views_in_memory(
    room: Room, poses: Float[np.ndarray, "V 4 4"], camera: Pinhole, *, seed: int, supersample: int = 5
) -> Views:
    """Views of a room at model size, without sensor noise and without touching the disk.

    Give the squashed camera (`color_camera.resized(64, 64)`, with fx unlike fy) to get what a full-size
    picture looks like after resizing. `seed` decides the decoration, as in `Scene`.
    """
    return Scene(room, seed).views(poses, camera, supersample)
