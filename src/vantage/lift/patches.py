"""A 3D point for every patch of an image: that of its valid depth pixel of median depth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply
from vantage.geometry.warp import ImageWarp

_HOLE = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_INFINITY_BITS = np.uint32(0x7F80_0000)


@dataclass(frozen=True)
class PatchPoints:
    """The points of one frame's patches, in the shape of the warp (`ImageWarp.shape`).

    Attributes:
        xyz_world: metres, in the world of the pose; zeros where invalid.
        valid: whether the patch has a point.
        spread: difference of the 90th and 10th percentile (nearest ranks) of the patch's depths, metres.
        valid_share: share of the patch's depth pixels that hold a measurement; 0 if it has no depth pixel.
    """

    xyz_world: Float32[np.ndarray, "*patches 3"]
    valid: Bool[np.ndarray, "*patches"]
    spread: Float32[np.ndarray, "*patches"]
    valid_share: Float32[np.ndarray, "*patches"]


@dataclass(frozen=True)
class _Layout:
    """What depends on the cameras only: the depth pixels of a tile's patches, padded with the pixel count."""

    members: Int64[np.ndarray, "p longest"]
    counts: Int64[np.ndarray, "p"]


def patch_of_pixels(
    depth_camera: Pinhole, color_camera: Pinhole, warp: ImageWarp
) -> Int64[np.ndarray, "tiles {depth_camera.height} {depth_camera.width}"]:
    """The patch (row * columns + column) of each tile that each depth pixel's centre falls in.

    -1 outside the colour image, the tile or its patches. The cameras share centre and axes. Raises ValueError
    if the warp is of another colour image.
    """
    size = (color_camera.width, color_camera.height)
    if size != (warp.width, warp.height):
        raise ValueError(f"the warp is of {warp.width}x{warp.height} pixels, the colour image has {size}")
    # The cameras share their axes, so that a depth column is a colour column, and a row a row.
    rays = depth_camera.rays()
    u, v = color_camera.project(rays[0])[0][:, 0], color_camera.project(rays[:, 0])[0][:, 1]
    patches = []
    for number, (_, columns) in enumerate(warp.grids):
        column, row = warp.line_of(number, 0, u)[None, :], warp.line_of(number, 1, v)[:, None]
        patches.append(np.where((column >= 0) & (row >= 0), row * columns + column, -1))
    return np.stack(patches)


@lru_cache(maxsize=8)
def _layouts(depth_camera: Pinhole, color_camera: Pinhole, warp: ImageWarp) -> list[_Layout]:
    patches = patch_of_pixels(depth_camera, color_camera, warp)
    return [_layout(patch.ravel(), *grid) for patch, grid in zip(patches, warp.grids, strict=True)]


def _layout(patch: Int64[np.ndarray, "pixels"], rows: int, columns: int) -> _Layout:
    shown = np.flatnonzero(patch >= 0)
    # A stable sort of small integers is numpy's radix sort.
    small = patch[shown].astype(np.min_scalar_type(rows * columns))
    order = shown[np.argsort(small, kind="stable")]
    counts = np.bincount(patch[order], minlength=rows * columns)
    members = np.full((rows * columns, max(1, int(counts.max()))), patch.size, dtype=np.int64)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    members[patch[order], rank] = order
    return _Layout(members, counts)


def patch_coordinates(
    depth: Float32[np.ndarray, "h w"],
    depth_camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
    color_camera: Pinhole,
    warp: ImageWarp,
    min_valid_share: float,
) -> PatchPoints:
    """The points of the patches that `warp` makes of the colour image, from one depth image.

    `depth` is in metres along the optical axis; 0, negative and non-finite values are holes and never
    count. The point of a patch is its pixel of lower median depth, equal depths ordered by pixel index, so
    that it lies on a surface: a mean over an edge would lie in free space. A patch needs a valid pixel and a
    share of valid pixels of at least `min_valid_share`. A depth pixel counts in every tile that shows it;
    padding shows none. Raises ValueError if depth image or warp are not of their camera's size.
    """
    if depth.shape != (depth_camera.height, depth_camera.width):
        expected = (depth_camera.height, depth_camera.width)
        raise ValueError(f"a depth image of {expected} was expected from its camera, found {depth.shape}")
    keys = _sort_keys(depth)
    parts = [_medians(keys, one, min_valid_share) for one in _layouts(depth_camera, color_camera, warp)]
    median, spread, share, valid = (np.concatenate(part) for part in zip(*parts, strict=True))

    xyz = np.zeros((len(valid), 3), dtype=np.float32)
    xyz[valid] = apply(T_world_cam, _points(median[valid], depth_camera))
    return PatchPoints(
        xyz.reshape(*warp.shape, 3),
        valid.reshape(warp.shape),
        spread.reshape(warp.shape),
        share.reshape(warp.shape),
    )


def _medians(
    keys: UInt64[np.ndarray, "n"], layout: _Layout, min_valid_share: float
) -> tuple[
    UInt64[np.ndarray, "p"], Float32[np.ndarray, "p"], Float32[np.ndarray, "p"], Bool[np.ndarray, "p"]
]:
    """Of each patch: the key of its median pixel, spread (m; 0 where invalid), valid share and validity."""
    ranked = np.sort(keys[layout.members], axis=1)
    n_valid = np.count_nonzero(ranked != _HOLE, axis=1)
    share = n_valid / np.maximum(layout.counts, 1)
    valid = (n_valid > 0) & (share >= min_valid_share)
    rows, last = np.arange(len(valid)), np.maximum(n_valid - 1, 0)
    spread = _depth_of(ranked[rows, (last * 9 + 5) // 10]) - _depth_of(ranked[rows, (last + 5) // 10])
    spread = np.where(valid, spread, np.float32(0))
    return ranked[rows, last // 2], spread, share.astype(np.float32), valid


def _points(keys: UInt64[np.ndarray, "n"], camera: Pinhole) -> Float64[np.ndarray, "n 3"]:
    """Camera points (m) of the pixels and depths in some keys."""
    pixel = (keys & np.uint64(0xFFFF_FFFF)).astype(np.int64)
    v, u = np.divmod(pixel, camera.width)
    return camera.backproject(np.stack([u, v], axis=-1).astype(np.float64), _depth_of(keys))


def _sort_keys(depth: Float32[np.ndarray, "h w"]) -> UInt64[np.ndarray, "n"]:
    """A key for each pixel and one hole for padding, ordered by depth, then pixel index.

    The bits of positive floats order as integers do, so depth and index fit one sortable word.
    """
    bits = np.ascontiguousarray(depth, dtype=np.float32).ravel().view(np.uint32)
    keys = np.empty(bits.size + 1, dtype=np.uint64)
    keys[:-1] = bits
    keys[:-1] <<= np.uint64(32)
    keys[:-1] |= np.arange(bits.size, dtype=np.uint64)
    # Measured are the bits from 1 to the largest finite float's; 0 wraps round to the largest integer.
    keys[:-1][bits - np.uint32(1) >= _INFINITY_BITS - 1] = _HOLE
    keys[-1] = _HOLE
    return keys


def _depth_of(keys: UInt64[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
    return (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
