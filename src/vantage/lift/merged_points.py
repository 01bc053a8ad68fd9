"""An object's points of all views together: votes between views, thinning, parts, outliers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vantage.geometry.voxels import voxel_keys
from vantage.lift.box_settings import BoxSettings
from vantage.lift.depth_surface import DepthSurface
from vantage.lift.region import Region

_NEIGHBOURS = 8


def agreed(
    points: Float64[np.ndarray, "n 3"],
    views: Sequence[tuple[DepthSurface, Region]],
    settings: BoxSettings,
) -> Bool[np.ndarray, "n"]:
    """Which points (m, world) more views confirm than contradict.

    A view confirms a point where its own surface is there and inside its region. It contradicts the point
    where the surface is there but clearly outside its region, or where it sees through the point. A view
    that is hidden from the point, or has a hole or no picture there, says nothing.
    """
    balance = np.zeros(len(points), dtype=np.int64)
    for surface, region in views:
        z, seen, uv = surface.depth_at(points)
        tolerance = 2 * settings.noise_per_m2 * z * z + settings.steepest * surface.spacing(np.abs(z))
        tolerance += settings.plane_tolerance_m
        there = (seen > 0) & (np.abs(seen - z) <= tolerance)
        through = (seen > 0) & (z > 0) & (seen - z > 2 * tolerance)
        balance += there & region.contains(uv)
        balance -= (there & region.beside(uv)) | through
    return balance > 0


def thinned(
    points: Float64[np.ndarray, "n 3"], voxel_m: float
) -> tuple[Float64[np.ndarray, "k 3"], Int64[np.ndarray, "n"]]:
    """One point for each cube of edge `voxel_m`, the mean of its own; and each point's cube, by number."""
    _, cube = np.unique(voxel_keys(points, voxel_m), return_inverse=True)
    count = np.bincount(cube)
    mean = np.stack([np.bincount(cube, points[:, k]) / count for k in range(3)], axis=1)
    return mean, cube.astype(np.int64)


def main_parts(
    points: Float64[np.ndarray, "k 3"], votes: Float64[np.ndarray, "k"], settings: BoxSettings
) -> Bool[np.ndarray, "k"]:
    """The points of the part with most votes, and of other large ones not far from it.

    Points nearer than `gap_m` are of one part. What hides the middle of an object leaves two.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    pairs = cKDTree(points).query_pairs(settings.gap_m, output_type="ndarray")
    links = (np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1]))
    count, part = connected_components(coo_array(links, shape=(len(points), len(points))), directed=False)
    total = np.bincount(part, votes, count)
    lead = int(total.argmax())
    kept = np.zeros(count, dtype=bool)
    kept[lead] = True
    large = np.flatnonzero(total >= settings.part_share * total[lead])
    tree = cKDTree(points[part == lead])
    for other in large[large != lead]:
        gap = float(tree.query(points[part == other])[0].min())
        kept[other] = gap <= settings.part_gaps * settings.gap_m
    return np.asarray(kept[part])


def dense(points: Float64[np.ndarray, "k 3"], settings: BoxSettings) -> Bool[np.ndarray, "k"]:
    """Which points are no outliers: about as near to their eight nearest as the others are to theirs."""
    from scipy.spatial import cKDTree

    if len(points) <= _NEIGHBOURS:
        return np.ones(len(points), dtype=bool)
    distance, _ = cKDTree(points).query(points, k=_NEIGHBOURS + 1)
    mean = distance[:, 1:].mean(axis=1)
    middle = float(np.median(mean))
    deviation = max(1.4826 * float(np.median(np.abs(mean - middle))), 0.25 * settings.voxel_m)
    return np.asarray(mean <= middle + settings.spread_limit * deviation)
