"""The surface in a depth image: its noise smoothed, its edges kept, flying pixels dropped."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert, is_rigid
from vantage.lift.box_settings import BoxSettings

_WINDOW = 2  # pixels to each side that are averaged
_APART = 3  # pixels between the two sides of an outline
_SMOOTH_SLOPE = 1.0  # what is steeper is averaged over fewer pixels, lest a step be smoothed


@dataclass(frozen=True, eq=False)
class DepthSurface:
    """One view's depth image as a surface in the world.

    Attributes:
        depth: metres along the optical axis, smoothed; 0 where there is no surface.
        measured: where the camera measured anything in range.
        flying: measured pixels that belong to no surface: too few neighbours are where they are.
        depth_camera, color_camera: share their centre and axes, not their size or intrinsics.
        T_world_cam: the view's pose; the world is that of the boxes to come, with z up.
    """

    depth: Float64[np.ndarray, "h w"]
    measured: Bool[np.ndarray, "h w"]
    flying: Bool[np.ndarray, "h w"]
    depth_camera: Pinhole
    color_camera: Pinhole
    T_world_cam: Float64[np.ndarray, "4 4"]

    @cached_property
    def uv(self) -> Float64[np.ndarray, "h w 2"]:
        """Where in the colour image (px) each depth pixel looks."""
        return self.color_camera.project(self.depth_camera.rays())[0]

    @cached_property
    def xyz_world(self) -> Float64[np.ndarray, "h w 3"]:
        """The points (m); the camera's own place where there is no surface."""
        return apply(self.T_world_cam, self.depth_camera.rays() * self.depth[..., None])

    def depth_at(
        self, p_world: Float[np.ndarray, "n 3"]
    ) -> tuple[Float64[np.ndarray, "n"], Float64[np.ndarray, "n"], Float64[np.ndarray, "n 2"]]:
        """Points' own depth (m), depth of the surface at their pixel (0 for none), and their colour pixel."""
        p_cam = apply(invert(self.T_world_cam), p_world)
        uv, z = self.depth_camera.project(p_cam)
        inside = self.depth_camera.inside(uv)
        column, row = np.where(inside[:, None], np.floor(uv + 0.5), 0).astype(np.int64).T
        return z, np.where(inside, self.depth[row, column], 0.0), self.color_camera.project(p_cam)[0]

    def spacing(self, z: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
        """Metres between neighbouring pixels at depth `z` (m)."""
        return np.asarray(z / min(self.depth_camera.fx, self.depth_camera.fy))


def depth_surface(
    depth: Float32[np.ndarray, "h w"],
    depth_camera: Pinhole,
    color_camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
    settings: BoxSettings,
) -> DepthSurface:
    """The surface in a depth image (m; 0, negative and not finite are holes).

    A pixel is on its surface if enough of its eight neighbours differ by no more than noise and the steepest
    surface explain. What remains is averaged, as disparity (exact for planes), over the 5 x 5 pixels around
    that are on the same surface.

    Raises ScanError: a depth image of another size than its camera, or a pose that is not rigid.
    """
    if depth.shape != (depth_camera.height, depth_camera.width):
        expected = f"{depth_camera.width}x{depth_camera.height}"
        found = f"{depth.shape[1]}x{depth.shape[0]}"
        raise ScanError("a depth image of another size than its camera", expected=expected, found=found)
    if not is_rigid(T_world_cam):
        raise ScanError("a pose is not a rigid transform", found=np.asarray(T_world_cam).tolist())
    z = depth.astype(np.float64)
    measured = np.isfinite(z) & (z >= settings.near_m) & (z <= settings.far_m)
    z[~measured] = np.nan
    pixel_m = z / min(depth_camera.fx, depth_camera.fy)
    noise = settings.noise_per_m2 * z * z
    near = _count_near(z, noise + settings.steepest * pixel_m)
    flying = measured & (near < settings.support)
    z[flying] = np.nan
    smooth = _smoothed(z, noise, pixel_m)
    T = np.asarray(T_world_cam, dtype=np.float64)
    return DepthSurface(np.nan_to_num(smooth), measured, flying, depth_camera, color_camera, T)


def hidden_border(surface: DepthSurface, mine: Bool[np.ndarray, "h w"], settings: BoxSettings) -> float:
    """Share of the outline of the pixels `mine` along which what is beside them is nearer, so hides more.

    Pixels a little apart are compared, since depth edges have holes; 0 without an outline.
    """
    z = np.where(surface.depth > 0, surface.depth, np.nan)
    own = np.where(mine, z, np.nan)
    other = np.where(mine, np.nan, z)
    outline = nearer = 0
    for dv, du in ((0, _APART), (0, -_APART), (_APART, 0), (-_APART, 0)):
        beside = _shifted(other, dv, du)
        step = settings.noise_per_m2 * own * own + settings.steepest * surface.spacing(own) * _APART
        outline += int((np.isfinite(own) & np.isfinite(beside)).sum())
        nearer += int((own - beside > step).sum())
    return nearer / outline if outline else 0.0


def _count_near(z: Float64[np.ndarray, "h w"], tolerance: Float64[np.ndarray, "h w"]) -> np.ndarray:
    """How many of a pixel's eight neighbours are within the tolerance, which grows along the diagonal."""
    near = np.zeros(z.shape, dtype=np.int64)
    for dv, du in _offsets(1):
        near += np.abs(_shifted(z, dv, du) - z) <= tolerance * np.hypot(dv, du)
    return near


def _smoothed(
    z: Float64[np.ndarray, "h w"], noise: Float64[np.ndarray, "h w"], pixel_m: Float64[np.ndarray, "h w"]
) -> Float64[np.ndarray, "h w"]:
    disparity = 1 / z
    total, count = np.nan_to_num(disparity), np.isfinite(z).astype(np.float64)
    for dv, du in _offsets(_WINDOW):
        # Both of a pair of opposite pixels or neither: the mean then stays on a plane, to its very edge.
        one, other = _shifted(z, dv, du), _shifted(z, -dv, -du)
        tolerance = noise + _SMOOTH_SLOPE * pixel_m * np.hypot(dv, du)
        use = (np.abs(one - z) <= tolerance) & (np.abs(other - z) <= tolerance)
        total += np.where(use, np.nan_to_num(1 / one), 0.0)
        count += use
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, count / total, np.nan)


def _offsets(reach: int) -> list[tuple[int, int]]:
    steps = range(-reach, reach + 1)
    return [(dv, du) for dv in steps for du in steps if dv or du]


def _shifted(image: Float64[np.ndarray, "h w"], dv: int, du: int) -> Float64[np.ndarray, "h w"]:
    """The image whose pixel (v, u) is (v + dv, u + du) of this one, NaN beyond the border."""
    out = np.full_like(image, np.nan)
    h, w = image.shape
    if abs(dv) >= h or abs(du) >= w:
        return out
    out[max(0, -dv) : h - max(0, dv), max(0, -du) : w - max(0, du)] = image[
        max(0, dv) : h - max(0, -dv), max(0, du) : w - max(0, -du)
    ]
    return out
