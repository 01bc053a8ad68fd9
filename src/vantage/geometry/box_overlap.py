"""Compiled: the exact volume that two oriented boxes share.

In the axes of one box, the window |p| <= h, the volume of the other box A within it is a surface integral
over A's six faces alone: the field (clamp(x, -hx, hx), 0, 0) has divergence 1 where |x| < hx and 0 elsewhere,
and the faces that cutting A at |y| = hy and |z| = hz adds have no x component in their normals. The integrand
is continuous, so faces that touch, coincide or nearly coincide need no tolerance: rounding errors stay
rounding errors. There is no topology to keep either.
"""

from __future__ import annotations

import numpy as np

from vantage.geometry.compiled import compiled

ROOM = 64  # corners a polygon can have: each of 6 cuts makes at most one and a half times as many of 4
_NOTHING = 1e-13  # a share of the smaller box's volume that only rounding makes


@compiled
def cut(source: np.ndarray, count: int, axis: int, sign: float, limit: float, target: np.ndarray) -> int:
    """The part of a polygon with `sign * p[axis] <= limit`, into `target`; how many corners it has."""
    kept = 0
    for i in range(count):
        j = i + 1 if i + 1 < count else 0
        a = sign * source[i, axis]
        b = sign * source[j, axis]
        if a <= limit:
            for k in range(3):
                target[kept, k] = source[i, k]
            kept += 1
        if (a <= limit) != (b <= limit):
            t = (limit - a) / (b - a)
            for k in range(3):
                target[kept, k] = source[i, k] + t * (source[j, k] - source[i, k])
            target[kept, axis] = sign * limit
            kept += 1
    return kept


@compiled
def area_and_moment(polygon: np.ndarray, count: int) -> tuple[float, float]:
    """Signed area of a polygon's shadow on the y-z plane, and the integral of x over the shadow."""
    area, moment = 0.0, 0.0
    for i in range(1, count - 1):
        ay = polygon[i, 1] - polygon[0, 1]
        az = polygon[i, 2] - polygon[0, 2]
        by = polygon[i + 1, 1] - polygon[0, 1]
        bz = polygon[i + 1, 2] - polygon[0, 2]
        doubled = ay * bz - az * by
        area += doubled / 2
        moment += doubled / 6 * (polygon[0, 0] + polygon[i, 0] + polygon[i + 1, 0])
    return area, moment


@compiled
def clamped_moment(polygon: np.ndarray, count: int, half: float, spare: np.ndarray) -> float:
    """Integral of clamp(x, -half, half) over a polygon's shadow on the y-z plane."""
    total = 0.0
    for side in (1.0, -1.0):
        beyond = cut(polygon, count, 0, -side, -half, spare[0])
        area, _ = area_and_moment(spare[0], beyond)
        total += side * half * area
    within = cut(polygon, count, 0, 1.0, half, spare[0])
    within = cut(spare[0], within, 0, -1.0, half, spare[1])
    _, moment = area_and_moment(spare[1], within)
    return total + moment


@compiled
def volume_in_window(
    center: np.ndarray, axes: np.ndarray, half: np.ndarray, window: np.ndarray, spare: np.ndarray
) -> float:
    """Volume of a box (centre, half edge vectors as columns of `axes` times `half`) within |p| <= window."""
    volume = 0.0
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        for side in (1.0, -1.0):
            for corner in range(4):  # counter-clockwise seen from outside
                si = -1.0 if corner == 0 or corner == 3 else 1.0
                sj = -1.0 if corner < 2 else 1.0
                for d in range(3):
                    edge = side * half[k] * axes[d, k] + side * si * half[i] * axes[d, i]
                    spare[0, corner, d] = center[d] + edge + sj * half[j] * axes[d, j]
            count = cut(spare[0], 4, 1, 1.0, window[1], spare[1])
            count = cut(spare[1], count, 1, -1.0, window[1], spare[0])
            count = cut(spare[0], count, 2, 1.0, window[2], spare[1])
            count = cut(spare[1], count, 2, -1.0, window[2], spare[0])
            if count > 2:
                volume += clamped_moment(spare[0], count, window[0], spare[1:])
    return volume


@compiled
def smaller_first(p: np.ndarray, q: np.ndarray) -> bool:
    """An order of boxes (rows of numbers, the volume first), so that a pair is computed alike either way."""
    for k in range(p.shape[0]):
        if p[k] != q[k]:
            return bool(p[k] < q[k])
    return True


@compiled
def fill_overlaps(a: np.ndarray, b: np.ndarray, columns: int, start: int, out: np.ndarray) -> None:
    """Shared volumes of pairs `start`, `start + 1`, ... into `out`.

    Boxes are rows: volume, centre (3), half edges (3), rotation by rows (9). Pair n is (n, n) where `columns`
    is 0, else the cell n of the matrix of all rows of `a` and of `b`, which has `columns` rows.
    """
    spare = np.empty((3, ROOM, 3))
    center, axes = np.empty(3), np.empty((3, 3))
    for n in range(out.shape[0]):
        row = start + n
        first, second = (a[row], b[row]) if columns == 0 else (a[row // columns], b[row % columns])
        small, large = (first, second) if smaller_first(first, second) else (second, first)
        out[n] = 0.0
        gap, radius_s, radius_l = 0.0, 0.0, 0.0
        for d in range(3):
            gap += (large[1 + d] - small[1 + d]) ** 2
            radius_s += small[4 + d] ** 2
            radius_l += large[4 + d] ** 2
        if small[0] == 0.0 or gap >= (radius_s**0.5 + radius_l**0.5) ** 2:
            continue
        for d in range(3):
            center[d] = 0.0
            for k in range(3):
                center[d] += small[7 + 3 * k + d] * (large[1 + k] - small[1 + k])
                axes[d, k] = 0.0
                for m in range(3):
                    axes[d, k] += small[7 + 3 * m + d] * large[7 + 3 * m + k]
        volume = volume_in_window(center, axes, large[4:7], small[4:7], spare)
        if volume > _NOTHING * small[0]:
            out[n] = min(volume, small[0])
