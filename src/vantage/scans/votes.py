"""Which object a point belongs to: every frame that sees it votes for what its mask shows there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert

MaskView = tuple[
    Float32[np.ndarray, "h w"], Pinhole, Int64[np.ndarray, "H W"], Pinhole, Float64[np.ndarray, "4 4"]
]
"""Depth (m, 0 for holes) and its camera, object ids (-1 for none) and their camera, and the pose of both."""

#: A frame sees a point when it measured a depth this near (m) to the point's own; what is nearer hides it.
SEEN_M = 0.05
_IDS = 1 << 17  # ids of 16 bits, one less than the value, and none


def vote(coord: Float32[np.ndarray, "n 3"], views: Iterable[MaskView]) -> Int32[np.ndarray, "n"]:
    """The object of each point, -1 for none, by most votes; of equal ones the smaller id, none first.

    A pixel that belongs to no object votes for none. Points (m) are in the world of the poses.
    """
    keys, counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    for view in views:
        cast = _votes(coord, *view)
        keys, inverse = np.unique(np.concatenate([keys, cast]), return_inverse=True)
        weights = np.concatenate([counts, np.ones(len(cast), dtype=np.int64)])
        counts = np.bincount(inverse, weights, len(keys)).astype(np.int64)
    instance = np.full(len(coord), -1, dtype=np.int32)
    point, object_id = keys // _IDS, keys % _IDS - 1
    order = np.lexsort((object_id, -counts, point))
    first = order[np.r_[True, np.diff(point[order]) != 0][: len(order)]]
    instance[point[first]] = object_id[first]
    return instance


def _votes(
    coord: Float32[np.ndarray, "n 3"],
    depth: Float32[np.ndarray, "h w"],
    depth_camera: Pinhole,
    ids: Int64[np.ndarray, "H W"],
    id_camera: Pinhole,
    T_world_cam: Float64[np.ndarray, "4 4"],
) -> Int64[np.ndarray, "k"]:
    """A vote of each point that the frame sees: its number and what it is voted to be, in one key."""
    p_cam = apply(invert(T_world_cam), coord)
    seen, row, column, z = _pixels(p_cam, np.arange(len(coord)), depth_camera)
    measured = depth[row, column]
    near = (measured > 0) & (np.abs(measured - z) < SEEN_M)
    seen, row, column, _ = _pixels(p_cam[seen[near]], seen[near], id_camera)
    keys: np.ndarray = seen * _IDS + ids[row, column] + 1
    return keys


def _pixels(
    p_cam: Float64[np.ndarray, "n 3"], number: Int64[np.ndarray, "n"], camera: Pinhole
) -> tuple[Int64[np.ndarray, "k"], Int64[np.ndarray, "k"], Int64[np.ndarray, "k"], Float64[np.ndarray, "k"]]:
    """Numbers, rows, columns and depths of the points in the picture."""
    uv, z = camera.project(p_cam)
    inside = camera.inside(uv)
    column, row = np.floor(uv[inside] + 0.5).astype(np.int64).T
    return number[inside], row, column, z[inside]
