"""A 3D point for every patch of an image: that of its valid depth pixel of median depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply

_HOLE = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


@dataclass(frozen=True)
class PatchPoints:
    """The points of one frame's patches.

    Attributes:
        xyz_world: metres, in the world of the pose; zeros where invalid.
        valid: whether the patch has a point.
        spread: difference of the 90th and 10th percentile (nearest ranks) of the patch's depths, metres.
        valid_share: share of the patch's depth pixels that hold a measurement; 0 if it has no depth pixel.
    """

    xyz_world: Float32[np.ndarray, "gh gw 3"]
    valid: Bool[np.ndarray, "gh gw"]
    spread: Float32[np.ndarray, "gh gw"]
    valid_share: Float32[np.ndarray, "gh gw"]


@dataclass(frozen=True)
class _Layout:
    """What depends on the cameras only: the depth pixels of every patch, padded with the pixel count."""

    members: Int64[np.ndarray, "p longest"]
    counts: Int64[np.ndarray, "p"]
    rays: Float64[np.ndarray, "pixels 3"]


def patch_of_pixels(
    depth_camera: Pinhole, color_camera: Pinhole, grid: tuple[int, int]
) -> Int64[np.ndarray, "{depth_camera.height} {depth_camera.width}"]:
    """The patch (row * columns + column) of the colour image that each depth pixel's centre falls in.

    -1 outside the colour image. The cameras share centre and axes; patches divide the colour image evenly.
    """
    rows, columns = grid
    uv, _ = color_camera.project(depth_camera.rays())
    column = np.floor((uv[..., 0] + 0.5) * (columns / color_camera.width)).astype(np.int64)
    row = np.floor((uv[..., 1] + 0.5) * (rows / color_camera.height)).astype(np.int64)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    return np.where(inside, row * columns + column, -1)


@lru_cache(maxsize=16)
def _layout(depth_camera: Pinhole, color_camera: Pinhole, grid: tuple[int, int]) -> _Layout:
    patch = patch_of_pixels(depth_camera, color_camera, grid).ravel()
    n_patches = grid[0] * grid[1]
    order = np.argsort(patch, kind="stable")
    order = order[patch[order] >= 0]
    counts = np.bincount(patch[order], minlength=n_patches)
    members = np.full((n_patches, max(1, int(counts.max()))), patch.size, dtype=np.int64)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    members[patch[order], rank] = order
    return _Layout(members, counts, depth_camera.rays().reshape(-1, 3))


def patch_coordinates(
    depth: Float32[np.ndarray, "h w"],
    depth_camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
    color_camera: Pinhole,
    grid: tuple[int, int],
    min_valid_share: float,
) -> PatchPoints:
    """The points of a `grid` = (rows, columns) of patches over the colour image, from one depth image.

    `depth` is in metres along the optical axis; 0, negative and non-finite values are holes and never
    count. The point of a patch is its pixel of lower median depth, equal depths ordered by pixel index, so
    that it lies on a surface: a mean over an edge would lie in free space. A patch needs a valid pixel and a
    share of valid pixels of at least `min_valid_share`. Raises ValueError if the depth image is not of its
    camera's size.
    """
    if depth.shape != (depth_camera.height, depth_camera.width):
        expected = (depth_camera.height, depth_camera.width)
        raise ValueError(f"a depth image of {expected} was expected from its camera, found {depth.shape}")
    layout = _layout(depth_camera, color_camera, grid)
    ranked = np.sort(_sort_keys(depth)[layout.members], axis=1)
    n_valid = np.count_nonzero(ranked != _HOLE, axis=1)
    share = n_valid / np.maximum(layout.counts, 1)
    valid = (n_valid > 0) & (share >= min_valid_share)

    rows, last = np.flatnonzero(valid), n_valid[valid] - 1
    median = ranked[rows, last // 2]
    pixel = (median & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    xyz = np.zeros((len(valid), 3), dtype=np.float32)
    xyz[valid] = apply(T_world_cam, layout.rays[pixel] * _depth_of(median)[:, None].astype(np.float64))
    spread = np.zeros(len(valid), dtype=np.float32)
    spread[valid] = _depth_of(ranked[rows, (last * 9 + 5) // 10]) - _depth_of(ranked[rows, (last + 5) // 10])
    return PatchPoints(
        xyz.reshape(*grid, 3),
        valid.reshape(grid),
        spread.reshape(grid),
        share.astype(np.float32).reshape(grid),
    )


def _sort_keys(depth: Float32[np.ndarray, "h w"]) -> np.ndarray:
    """A key for each pixel and one hole for padding, ordered by depth, then pixel index.

    The bits of positive floats order as integers do, so depth and index fit one sortable word.
    """
    flat = np.ascontiguousarray(depth, dtype=np.float32).ravel()
    keys = np.empty(flat.size + 1, dtype=np.uint64)
    keys[:-1] = (flat.view(np.uint32).astype(np.uint64) << np.uint64(32)) | np.arange(
        flat.size, dtype=np.uint64
    )
    keys[:-1][~((flat > 0) & np.isfinite(flat))] = _HOLE
    keys[-1] = _HOLE
    return keys


def _depth_of(keys: np.ndarray) -> Float32[np.ndarray, "n"]:
    return (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
