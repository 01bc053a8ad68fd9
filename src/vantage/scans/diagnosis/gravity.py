"""Which way is up: the normals of floors, tables and ceilings, near the direction that cameras hold up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from vantage.geometry.transforms import Matrix4, apply
from vantage.scans.conventions import UPS, Up, axis_of
from vantage.scans.diagnosis.views import View

_ROUGH_DEG, _FINE_DEG = 25.0, 8.0
_LEAST_SUPPORT = 0.05
_LEAST_NORMALS = 300
_BIN_M = 0.04
_SIDEWAYS = 0.3
_LEANING_DEG = 10.0


@dataclass(frozen=True, eq=False)
class Gravity:
    """The up direction of a world.

    Attributes:
        up: the nearest signed axis.
        direction: unit vector away from the ground.
        off_deg: angle between the two.
        support: share of the surface seen that lies level, within 8 degrees.
        sure: whether enough of it does, and cameras hold up the same way.
        floor_m: height of the floor along `direction`; None where no floor is seen.
    """

    up: Up
    direction: Float64[np.ndarray, "3"]
    off_deg: float
    support: float
    sure: bool
    floor_m: float | None

    def floor_along(self, axis: Float64[np.ndarray, "3"], under: Float64[np.ndarray, "3"]) -> float | None:
        """Height (m) of the floor along a unit `axis` of the world, straight down it from the point `under`.

        None where no floor is seen, gravity is not sure, or the axis leans more than 10 degrees.
        """
        along = float(axis @ self.direction)
        if self.floor_m is None or not self.sure or along < np.cos(np.radians(_LEANING_DEG)):
            return None
        return float(axis @ under - (self.direction @ under - self.floor_m) / along)


def find_gravity(
    views: Sequence[View],
    T_world_cams: Float64[np.ndarray, "n 4 4"],
    all_cams: Float64[np.ndarray, "m 4 4"],
    unit_m: float,
) -> Gravity | None:
    """Gravity in the world of the poses; None when too little surface is seen to say.

    `T_world_cams` are the poses of `views`, `all_cams` those of every frame.
    """
    parts = [surface(view, T, unit_m) for view, T in zip(views, T_world_cams, strict=True)]
    if sum(len(p) for p, _ in parts) < _LEAST_NORMALS:
        return None
    points, normals = (np.concatenate(column) for column in zip(*parts, strict=True))
    held, sideways = held_up(all_cams)
    direction = _level(normals, held)
    if sideways and _facing(normals, -direction) > _facing(normals, direction):
        direction = -direction
    near = np.abs(normals @ direction) > np.cos(np.radians(_FINE_DEG))
    support, aligned = float(near.mean()), float(direction @ held)
    up = max(UPS, key=lambda name: float(axis_of(name) @ direction))
    off = float(np.degrees(np.arccos(np.clip(axis_of(up) @ direction, -1, 1))))
    sure = support >= _LEAST_SUPPORT and (aligned >= 0.6 or sideways)
    floor = floor_height(points, normals, direction, all_cams[:, :3, 3] @ direction)
    return Gravity(up, direction, off, support, bool(sure), floor)


def surface(
    view: View, T_world_cam: Matrix4, unit_m: float
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    """Points (m) and unit normals towards the camera of smooth surface in a view, in the world."""
    step = max(2, view.depth.shape[1] // 80)
    z = view.depth[::step, ::step].astype(np.float64) * unit_m
    v, u = np.mgrid[: view.depth.shape[0] : step, : view.depth.shape[1] : step].astype(np.float64)
    p = view.camera.backproject(np.stack([u, v], axis=-1), z)
    across, down = p[1:-1, 2:] - p[1:-1, :-2], p[2:, 1:-1] - p[:-2, 1:-1]
    inner, depths = p[1:-1, 1:-1], (z[1:-1, 2:], z[1:-1, :-2], z[2:, 1:-1], z[:-2, 1:-1])
    smooth = z[1:-1, 1:-1] > 0
    for depth in depths:
        smooth &= (depth > 0) & (np.abs(depth - z[1:-1, 1:-1]) < 0.1 * z[1:-1, 1:-1])
    n = np.cross(across, down)[smooth]
    inner = inner[smooth]
    length = np.linalg.norm(n, axis=1)
    inner, n = inner[length > 0], n[length > 0] / length[length > 0, None]
    n *= np.where((n * inner).sum(axis=1) > 0, -1.0, 1.0)[:, None]
    return apply(T_world_cam, inner), np.asarray(n @ T_world_cam[:3, :3].T)


def held_up(T_world_cams: Float64[np.ndarray, "n 4 4"]) -> tuple[Float64[np.ndarray, "3"], bool]:
    """The direction that the cameras' upper image edge points to on average, and whether they lie sideways.

    A camera that turns about the vertical keeps only its vertical image axis: where that is the one along
    the rows, it was held sideways, and the sign is open.
    """
    rows, columns = T_world_cams[:, :3, 0].mean(axis=0), -T_world_cams[:, :3, 1].mean(axis=0)
    sideways = bool(np.linalg.norm(rows) > np.linalg.norm(columns) + _SIDEWAYS)
    held = rows if sideways else columns
    length = float(np.linalg.norm(held))
    return (held / length if length > 1e-9 else np.array([0.0, 0.0, 1.0])), sideways


def _level(normals: Float64[np.ndarray, "n 3"], held: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3"]:
    """The axis of much surface near the direction held up; the signs of normals do not matter."""
    best, score = held, -1.0
    for start in _starts(held):
        d = start
        for within in (_ROUGH_DEG, _ROUGH_DEG, 12.0, _FINE_DEG, _FINE_DEG):
            along = normals @ d
            near = np.abs(along) > np.cos(np.radians(within))
            if not near.any():
                break
            total = (normals[near] * np.sign(along[near])[:, None]).sum(axis=0)
            d = total / np.linalg.norm(total)
        support = float((np.abs(normals @ d) > np.cos(np.radians(_FINE_DEG))).mean())
        found = max(0.0, float(d @ held)) ** 2 * support**0.5
        if found > score:
            best, score = d, found
    return np.asarray(best)


def _starts(held: Float64[np.ndarray, "3"]) -> list[Float64[np.ndarray, "3"]]:
    """The direction held up, and sixteen about it at 25 and 45 degrees."""
    side = np.cross(held, np.eye(3)[np.argmin(np.abs(held))])
    side /= np.linalg.norm(side)
    other = np.cross(held, side)
    found = [held]
    for tilt in np.radians((25.0, 45.0)):
        for turn in np.arange(8) * np.pi / 4:
            lean = np.cos(turn) * side + np.sin(turn) * other
            found.append(np.cos(tilt) * held + np.sin(tilt) * lean)
    return found


def _facing(normals: Float64[np.ndarray, "n 3"], direction: Float64[np.ndarray, "3"]) -> float:
    return float((normals @ direction > np.cos(np.radians(_FINE_DEG))).mean())


def floor_height(
    points: Float64[np.ndarray, "n 3"],
    normals: Float64[np.ndarray, "n 3"],
    direction: Float64[np.ndarray, "3"],
    cameras: Float64[np.ndarray, "m"],
) -> float | None:
    """Height (m along `direction`) of the lowest large level surface that faces up, below all cameras."""
    level = normals @ direction > np.cos(np.radians(12.0))
    heights = points[level] @ direction
    heights = heights[heights < cameras.min() - 0.2]
    if len(heights) < 50:
        return None
    counts, edges = np.histogram(
        heights, np.arange(heights.min() - _BIN_M, heights.max() + 2 * _BIN_M, _BIN_M)
    )
    counts = counts[:-1] + counts[1:]
    first = int(np.argmax(counts >= 0.3 * counts.max()))
    peak = first + int(np.argmax(counts[first : first + 3]))
    inside = (heights >= edges[peak]) & (heights < edges[peak + 2])
    return float(np.median(heights[inside]))
