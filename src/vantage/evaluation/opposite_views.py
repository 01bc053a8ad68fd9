"""Views of one object from opposite sides, where left and right swap: a diagnosis of data.

PoseAlign3D asks how often a sample's views of its object contradict each other about sides. A view's yaw is
that of the ray from the camera to the object's centroid, seen from above. The report tells how questions
with such views are answered (`opposite_questions`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

_NO_YAW_M = 1e-6


@dataclass(frozen=True)
class OppositeViews:
    """Pairs of views of objects, ordered by object, first and second view (first < second).

    Attributes:
        object: row of the object.
        first, second: rows of the two poses.
        angle_deg: between their yaws, up to 180.
    """

    object: Int64[np.ndarray, " p"]
    first: Int64[np.ndarray, " p"]
    second: Int64[np.ndarray, " p"]
    angle_deg: Float64[np.ndarray, " p"]


def opposite_views(
    T_world_cam: Float64[np.ndarray, "v 4 4"],
    centroids: Float64[np.ndarray, "o 3"],
    sees: Bool[np.ndarray, "o v"],
    above_deg: float = 150.0,
) -> OppositeViews:
    """Pairs of poses that see an object and whose yaws to it differ by more than `above_deg`.

    Args:
        T_world_cam: poses; the world (either one) has z up.
        centroids: of the objects in the same world, metres.
        sees: which pose counts as a view of which object.
        above_deg: strictly above, degrees.

    A pose straight above or below a centroid has no yaw and is in no pair.
    """
    yaw, known = _yaws(T_world_cam, centroids)
    usable = sees & known
    found = [_pairs(yaw[o], usable[o], above_deg) for o in range(len(centroids))]
    counts = [len(first) for first, _, _ in found]
    empty = np.zeros(0, dtype=np.int64)
    return OppositeViews(
        np.repeat(np.arange(len(centroids), dtype=np.int64), counts),
        np.concatenate([empty, *(first for first, _, _ in found)]),
        np.concatenate([empty, *(second for _, second, _ in found)]),
        np.concatenate([np.zeros(0), *(angle for _, _, angle in found)]),
    )


def _yaws(
    T_world_cam: Float64[np.ndarray, "v 4 4"], centroids: Float64[np.ndarray, "o 3"]
) -> tuple[Float64[np.ndarray, "o v"], Bool[np.ndarray, "o v"]]:
    rays = centroids[:, None, :2] - T_world_cam[None, :, :2, 3]
    return np.arctan2(rays[..., 1], rays[..., 0]), np.hypot(rays[..., 0], rays[..., 1]) > _NO_YAW_M


def _pairs(
    yaw: Float64[np.ndarray, " v"], usable: Bool[np.ndarray, " v"], above_deg: float
) -> tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"], Float64[np.ndarray, " p"]]:
    rows = np.flatnonzero(usable).astype(np.int64)
    between = np.abs(yaw[rows, None] - yaw[None, rows])
    angle = np.degrees(np.minimum(between, 2 * np.pi - between))
    first, second = np.nonzero(np.triu(angle > above_deg, k=1))
    return rows[first], rows[second], angle[first, second]
