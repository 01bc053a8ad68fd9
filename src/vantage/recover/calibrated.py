"""The visible fraction of every object: what is in the picture and unoccluded, whatever its tilt or density.

What hides a point is found in discs that close the surface between the scan's points, and in the measured
depth image, where there is one: what it shows in front of the point hides it, and a disc that it sees through
hides nothing. A hole says neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.surfels import Surfels
from vantage.geometry.transforms import invert
from vantage.recover.scores import Scores, column_of
from vantage.recover.threads import for_each_pose

Depth = tuple[Float32[np.ndarray, "h w"], Pinhole]
"""A measured depth image (m, 0 for holes) and its camera."""


#: Of the radius of its disc, by which a point may lie behind the depth found: discs overhang edges a little.
SPACING_SHARE = 0.3


@dataclass(frozen=True)
class Tolerances:
    """What counts as in view, and as hidden.

    Attributes:
        near_m, far_m: points nearer or farther than these (depth) are not in view; such depths are holes.
        off_surface_m: a point is hidden by what is in front of its surface by more than this, measured at a
            right angle to the surface, beyond its roughness and a share of the spacing of its points.
        per_m2: times the square of the depth (m), added where a measured depth image is the judge: the noise
            of a depth camera grows so.
    """

    near_m: float = 0.1
    far_m: float = 10.0
    off_surface_m: float = 0.01
    per_m2: float = 0.004


def visible_fractions(
    coord: Float32[np.ndarray, "n 3"],
    instance: Int32[np.ndarray, "n"],
    object_ids: Int64[np.ndarray, "ids"],
    poses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[Pinhole],
    shrink: float,
    tolerances: Tolerances,
    *,
    depth_of: Callable[[int], Depth | None] | None = None,
    threads: int = 1,
) -> Scores:
    """For every pose, the share of all of each object's points that are in the picture and unoccluded.

    Every point of the scan may hide one, whoever's it is; the side of an object that faces away is hidden by
    the object itself, so that a closed one reaches about a half. `cameras` take the pictures at `poses`
    (camera to the world of `coord`, rigid, metres); the buffer of the discs has `shrink` times their size.
    `depth_of` gives the depth image of a row, from the same centre and with the same axes, if it has one.
    """
    surfels = Surfels.of(coord)
    column = column_of(instance, object_ids)
    mine = np.flatnonzero(column >= 0)
    disc = surfels.of_point[mine]
    p, normal = coord[mine].astype(np.float64), surfels.normal[disc]
    off = np.abs(np.einsum("ij,ij->i", p - surfels.center[disc], normal))
    slack = tolerances.off_surface_m + off + surfels.rough[disc] + SPACING_SHARE * surfels.radius[disc]
    points = _Points(p, column[mine], normal, slack)
    counts = np.zeros((2, len(poses), len(object_ids)), dtype=np.int64)

    def worker() -> Callable[[int], None]:
        def score(row: int) -> None:
            depth = depth_of(row) if depth_of else None
            _count(points, surfels, poses[row], cameras[row], shrink, tolerances, depth, counts[:, row])

        return score

    for_each_pose(len(poses), threads, worker)
    totals = np.maximum(np.bincount(points.column, minlength=len(object_ids)), 1)
    in_view, seen = (counts / totals).astype(np.float32)
    return Scores(object_ids, seen, in_view)


@dataclass(frozen=True)
class _Points:
    coord: Float64[np.ndarray, "n 3"]
    column: Int64[np.ndarray, "n"]
    normal: Float64[np.ndarray, "n 3"]
    slack: Float64[np.ndarray, "n"]


_NO_DEPTH: Depth = (np.zeros((1, 1), dtype=np.float32), Pinhole(1, 1, 1.0, 1.0, 0.0, 0.0))


def _count(
    points: _Points,
    surfels: Surfels,
    T_world_cam: Float64[np.ndarray, "4 4"],
    camera: Pinhole,
    shrink: float,
    tolerances: Tolerances,
    depth: Depth | None,
    counts: Int64[np.ndarray, "2 ids"],
) -> None:
    """Count up the points in view and those seen from one pose."""
    from vantage.recover.seen import count_seen

    T = invert(T_world_cam)
    near, far = tolerances.near_m, tolerances.far_m
    small = camera.resized(*(max(1, int(edge * shrink)) for edge in (camera.width, camera.height)))
    buffer, front = surfels.drawn(T, small, max(near, 1e-3))
    front_normal = np.where(front[..., None] >= 0, surfels.normal[front], 0.0)
    image, depth_camera = depth or _NO_DEPTH
    measured = np.where((image >= near) & (image <= far), image, np.float32(0))
    count_seen(
        points.coord, points.column, points.normal, points.slack, T,
        np.array([*camera.intrinsics, camera.width, camera.height]), np.array([near, far]),
        buffer, front_normal, np.array(small.intrinsics), measured, np.array(depth_camera.intrinsics),
        tolerances.per_m2, counts[0], counts[1],
    )  # fmt: skip
