"""Depth images of many poses fused into one surface: a truncated signed distance field, by Open3D."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Float64, Int32, Integer

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.open3d_library import open3d
from vantage.geometry.transforms import apply, invert
from vantage.geometry.voxels import voxel_keys
from vantage.scans.config import FusionConfig

View = tuple[Float32[np.ndarray, "h w"], Pinhole, Float64[np.ndarray, "4 4"]]
"""Depth (m, 0 for holes), its camera, and the camera's pose in the world to fuse in."""

#: Voxels along the edge of a block. The field is kept in blocks near surfaces only.
BLOCK = 16
#: Blocks at most: about 0.8 GB with what extracting the surface takes. At 2 cm some 400 square metres.
MOST_BLOCKS = 8192
#: A pose farther away than this (m) has no place in a grid of voxels.
_FARTHEST_M = 1e5


@dataclass(frozen=True, eq=False)
class Surface:
    """Vertices (m) and triangles of a fused surface, in an order that follows from their coordinates.

    `voxel_m` is the edge of the voxels that it was made with.
    """

    vertices: Float32[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    voxel_m: float


def fuse(views: Callable[[], Iterable[View]], config: FusionConfig) -> Surface:
    """The surface that depth images agree on.

    `views` gives them, again if need be: a scan too large for `MOST_BLOCKS` is fused once more with voxels
    twice as large. The result does not depend on the number of threads. ScanError for a pose absurdly far
    away.
    """
    voxel_m = config.voxel_m
    while (grid := _field(views(), voxel_m, config)) is None:
        voxel_m *= 2
    return Surface(*_ordered(*_crossings(grid, config.min_frames)), voxel_m)


def thinned(points: Float32[np.ndarray, "n 3"], most: int, spacing_m: float) -> Float32[np.ndarray, "m 3"]:
    """At most `most` of the points, evenly: of each cube the one nearest to its middle.

    The cubes' edge is `spacing_m`, or as much larger as it takes. Order and result follow from the
    coordinates alone.
    """
    if len(points) <= most:
        return points
    origin = points.min(axis=0)
    while True:
        local = (points - origin).astype(np.float64)
        keys = voxel_keys(local, spacing_m)
        off = np.linalg.norm(local / spacing_m - np.floor(local / spacing_m) - 0.5, axis=1)
        order = np.lexsort((off, keys))
        first = np.flatnonzero(np.r_[True, np.diff(keys[order]) != 0])
        if len(first) <= most:
            chosen: np.ndarray = points[np.sort(order[first])]
            return chosen
        spacing_m *= max(1.02, math.sqrt(len(first) / most))


def _field(views: Iterable[View], voxel_m: float, config: FusionConfig) -> Any:
    """Open3D's grid with every view in it; None if it grew beyond `MOST_BLOCKS`."""
    o3d = open3d()
    tensor, kind = o3d.core.Tensor, o3d.core.float32
    reach = max(config.truncation_m, 2 * voxel_m)
    grid = o3d.t.geometry.VoxelBlockGrid(
        ("tsdf", "weight"), (kind, kind), ((1,), (1,)), voxel_m, BLOCK, 1024, o3d.core.Device("CPU:0")
    )
    for depth, camera, T_world_cam in views:
        if np.abs(T_world_cam[:3, 3]).max() > _FARTHEST_M:
            found = f"a camera at {T_world_cam[:3, 3].tolist()} m"
            raise ScanError("a pose lies too far away to fuse", expected="metres", found=found)
        near = np.where(depth < config.far_m, depth, np.float32(0))
        blocks = _blocks(near, camera, T_world_cam, BLOCK * voxel_m, reach)
        if not len(blocks):
            continue
        # Open3D takes the pixel that a projection truncates to; half a pixel makes it the nearest one.
        K = camera.matrix()
        K[:2, 2] += 0.5
        grid.integrate(
            tensor(blocks), o3d.t.geometry.Image(tensor(near)), tensor(K), tensor(invert(T_world_cam)),
            1.0, float(config.far_m), float(reach / voxel_m),
        )  # fmt: skip
        if grid.hashmap().size() > MOST_BLOCKS:
            return None
    return grid


def _crossings(grid: Any, min_frames: int) -> tuple[Float32[np.ndarray, "n 3"], Integer[np.ndarray, "f 3"]]:
    """Vertices and triangles where the field of enough frames changes its sign, in any order."""
    nothing = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)
    if grid.hashmap().size() == 0:
        return nothing
    try:
        # A weight is the number of frames that saw the voxel; Open3D wants more than it is told.
        mesh = grid.extract_triangle_mesh(min_frames - 0.5)
    except RuntimeError as error:
        if "Tensor has shape {0}" not in str(error):
            raise
        return nothing  # Open3D's way to say that there is no vertex
    return mesh.vertex.positions.numpy(), mesh.triangle.indices.numpy()


def _blocks(
    depth: Float32[np.ndarray, "h w"],
    camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
    block_m: float,
    reach: float,
) -> Int32[np.ndarray, "b 3"]:
    """Blocks within `reach` (m) of a measured surface along its rays, in rising order."""
    farthest = float(depth.max(initial=0))
    if farthest <= 0:
        return np.zeros((0, 3), dtype=np.int32)
    step = max(1, int(min(camera.fx, camera.fy) * block_m / 2 / farthest))  # pixels half a block apart
    z = depth[::step, ::step].astype(np.float64)
    v, u = np.nonzero(z > 0)
    pixels, z = np.stack([u, v], axis=1) * float(step), z[v, u]
    along = np.linspace(-reach, reach, 1 + math.ceil(4 * reach / block_m))
    depths = np.maximum(z[:, None] + along, 1e-3).ravel()
    points = apply(T_world_cam, camera.backproject(np.repeat(pixels, len(along), axis=0), depths))
    return np.unique(np.floor(points / block_m).astype(np.int32), axis=0)


def _ordered(
    vertices: Float32[np.ndarray, "n 3"], faces: Integer[np.ndarray, "f 3"]
) -> tuple[Float32[np.ndarray, "m 3"], Int32[np.ndarray, "g 3"]]:
    """The same mesh in one order whatever threads made it: vertices by coordinates, each once, then faces."""
    found, place = np.unique(vertices + np.float32(0), axis=0, return_inverse=True)
    corners = place.reshape(-1)[faces]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (a != c)]
    first = np.argmin(corners, axis=1)  # turning a triangle keeps its side
    turned = np.take_along_axis(corners, (first[:, None] + np.arange(3)) % 3, axis=1)
    return found, np.unique(turned, axis=0).astype(np.int32)
