"""Oriented boxes, and the upright box of smallest footprint around points."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from vantage.geometry.transforms import from_yaw

_TIE = 1e-6  # footprints this close, relatively, count as equal
_ANGLE = 1e-9  # radians


@dataclass(frozen=True, eq=False)
class OrientedBox:
    """Centre (m), full edge lengths (m) and rotation (box axes to the frame the centre is in)."""

    center: Float64[np.ndarray, "3"]
    size: Float64[np.ndarray, "3"]
    rotation: Float64[np.ndarray, "3 3"]

    @property
    def yaw(self) -> float:
        """Direction (radians) of the box's x axis seen from above."""
        return math.atan2(float(self.rotation[1, 0]), float(self.rotation[0, 0]))

    @property
    def volume(self) -> float:
        """Cubic metres."""
        return float(np.prod(self.size))

    def corners(self) -> Float64[np.ndarray, "8 3"]:
        """The eight corners, x slowest and z fastest, low before high."""
        signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
        return np.asarray((signs * self.size) @ self.rotation.T + self.center)

    def contains(self, points: Float[np.ndarray, "n 3"], margin: float = 0.0) -> Bool[np.ndarray, "n"]:
        """Which points lie in the box grown by `margin` (m) on every side, faces included."""
        local = (np.asarray(points, dtype=np.float64) - self.center) @ self.rotation
        return np.asarray((np.abs(local) <= self.size / 2 + margin).all(axis=1))

    def transformed(self, T_a_b: Float[np.ndarray, "4 4"]) -> OrientedBox:
        """This box of frame b in frame a."""
        R = np.asarray(T_a_b[:3, :3], dtype=np.float64)
        return OrientedBox(R @ self.center + T_a_b[:3, 3], self.size.copy(), R @ self.rotation)


def convex_hull_xy(points: Float[np.ndarray, "n 2"]) -> Float64[np.ndarray, "h 2"]:
    """Corners of the convex hull, counter-clockwise, without collinear ones (Andrew's monotone chain)."""
    xy = np.unique(np.asarray(points, dtype=np.float64), axis=0)
    if len(xy) < 3:
        return xy
    xy = xy[_near_hull(xy)]
    rows = [(float(x), float(y)) for x, y in xy]

    def chain(ordered: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for p in ordered:
            while len(kept) >= 2 and _cross(kept[-2], kept[-1], p) <= 0:
                kept.pop()
            kept.append(p)
        return kept[:-1]

    return np.array(chain(rows) + chain(rows[::-1]))


def _cross(o: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def _near_hull(xy: Float64[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n"]:
    """Points not strictly inside the polygon of 16 extreme points: the others cannot be corners."""
    angles = np.arange(16) * (2 * math.pi / 16)
    ring = xy[np.argmax(xy @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)]
    ring = ring[np.any(ring != np.roll(ring, 1, axis=0), axis=1)]
    if len(ring) < 3:
        return np.ones(len(xy), dtype=bool)
    edge = np.roll(ring, -1, axis=0) - ring
    normal = np.stack([edge[:, 1], -edge[:, 0]], axis=1)  # outward
    slack = 1e-9 * (1.0 + float(np.abs(xy).max())) ** 2
    return np.asarray((xy @ normal.T - np.sum(normal * ring, axis=1) >= -slack).any(axis=1))


def axis_box(points: Float[np.ndarray, "n 3"]) -> OrientedBox:
    """The box along the frame's axes around `points`: from their least to their greatest coordinates.

    Raises ValueError without points or with one that is not finite.
    """
    p = np.asarray(points, dtype=np.float64)
    if len(p) == 0 or not np.isfinite(p).all():
        raise ValueError(f"a box needs at least one point, all finite; found {len(p)} points")
    low, high = p.min(axis=0), p.max(axis=0)
    return OrientedBox((low + high) / 2, high - low, np.eye(3))


def fit_upright_box(points: Float[np.ndarray, "n 3"]) -> OrientedBox:
    """The box with a vertical axis and the smallest footprint around `points` (m, z up).

    A rectangle of smallest area has a side on an edge of the convex hull (rotating calipers), so every
    edge is tried. The yaw is canonical, in [-pi/4, pi/4); among footprints equal within 1e-6 the smallest
    |yaw| wins, then the positive one. Raises ValueError without points or with one that is not finite.
    """
    p = np.asarray(points, dtype=np.float64)
    if len(p) == 0 or not np.isfinite(p).all():
        raise ValueError(f"a box needs at least one point, all finite; found {len(p)} points")
    hull = convex_hull_xy(p[:, :2])
    yaw = _best_yaw(hull)
    R = from_yaw(yaw)[:3, :3]
    local = hull @ R[:2, :2]
    low = np.append(local.min(axis=0), p[:, 2].min())
    high = np.append(local.max(axis=0), p[:, 2].max())
    return OrientedBox(R @ ((low + high) / 2), high - low, R)


def _best_yaw(hull: Float64[np.ndarray, "h 2"]) -> float:
    if len(hull) < 2:
        return 0.0
    edges = np.roll(hull, -1, axis=0) - hull
    quarter = math.pi / 2
    yaws = (np.arctan2(edges[:, 1], edges[:, 0]) + quarter / 2) % quarter - quarter / 2
    yaws = np.where(yaws > quarter / 2 - _ANGLE, -quarter / 2, yaws)
    along = hull @ np.stack([np.cos(yaws), np.sin(yaws)])
    across = hull @ np.stack([-np.sin(yaws), np.cos(yaws)])
    areas = np.ptp(along, axis=0) * np.ptp(across, axis=0)
    tied = yaws[areas <= areas.min() * (1 + _TIE) + 1e-12]
    smallest = np.abs(tied).min()
    return float(tied[np.abs(tied) <= smallest + _ANGLE].max())
