"""Compiled loops of the calibrated scores: discs into a depth buffer, and points against what hides them."""

from __future__ import annotations

import math

import numpy as np

from vantage.geometry.compiled import compiled

#: A surface seen at less than this sine of an angle is as uncertain in depth as at this one.
GRAZING = 0.1
#: Cosine of the angle up to which two surfaces may be one; only within one does tilt blur the depth.
ALIKE = 0.87


@compiled
def splat(
    center: np.ndarray,
    normal: np.ndarray,
    radius: np.ndarray,
    T: np.ndarray,
    pinhole: np.ndarray,
    near: float,
    buffer: np.ndarray,
    front: np.ndarray,
) -> None:
    """The nearest disc at every pixel's centre (`front`, -1 for none) and its depth (`buffer`, inf).

    `T` maps the world to the camera. Pixel centres are integers.
    """
    fx, fy, cx, cy = pinhole
    height, width = buffer.shape
    for i in range(height):
        for j in range(width):
            buffer[i, j], front[i, j] = np.inf, -1
    for k in range(center.shape[0]):
        p, n, r = center[k], normal[k], radius[k]
        z = T[2, 0] * p[0] + T[2, 1] * p[1] + T[2, 2] * p[2] + T[2, 3]
        if z - r < near or r <= 0:
            continue
        x = T[0, 0] * p[0] + T[0, 1] * p[1] + T[0, 2] * p[2] + T[0, 3]
        y = T[1, 0] * p[0] + T[1, 1] * p[1] + T[1, 2] * p[2] + T[1, 3]
        # The disc lies in the cube of edge 2 r, which is nearest at z - r.
        low_u, high_u = _span(fx * (x - r), fx * (x + r), z - r, z + r)
        low_v, high_v = _span(fy * (y - r), fy * (y + r), z - r, z + r)
        first_j, last_j = max(0, math.ceil(low_u + cx)), min(width - 1, math.floor(high_u + cx))
        first_i, last_i = max(0, math.ceil(low_v + cy)), min(height - 1, math.floor(high_v + cy))
        if first_j > last_j or first_i > last_i:
            continue
        a = T[0, 0] * n[0] + T[0, 1] * n[1] + T[0, 2] * n[2]
        b = T[1, 0] * n[0] + T[1, 1] * n[1] + T[1, 2] * n[2]
        c = T[2, 0] * n[0] + T[2, 1] * n[1] + T[2, 2] * n[2]
        level = a * x + b * y + c * z
        for i in range(first_i, last_i + 1):
            dy = (i - cy) / fy
            for j in range(first_j, last_j + 1):
                dx = (j - cx) / fx
                slope = a * dx + b * dy + c
                if slope == 0.0:
                    continue
                t = level / slope
                if near <= t < buffer[i, j]:
                    off = (dx * t - x) ** 2 + (dy * t - y) ** 2 + (t - z) ** 2
                    if off <= r * r:
                        buffer[i, j], front[i, j] = t, k


@compiled
def _span(low: float, high: float, near: float, far: float) -> tuple[float, float]:
    """Smallest and largest of low / z and high / z for z in [near, far]."""
    return min(low / near, low / far), max(high / near, high / far)


@compiled
def count_seen(
    coord: np.ndarray,
    column: np.ndarray,
    normal: np.ndarray,
    slack: np.ndarray,
    T: np.ndarray,
    view: np.ndarray,
    limits: np.ndarray,
    buffer: np.ndarray,
    front_normal: np.ndarray,
    buffer_pinhole: np.ndarray,
    depth: np.ndarray,
    depth_pinhole: np.ndarray,
    per_m2: float,
    in_view: np.ndarray,
    seen: np.ndarray,
) -> None:
    """Count each object's points in the picture, and those not hidden.

    `view` is the picture's fx, fy, cx, cy, width, height; `limits` of z bound it, too. A point is hidden
    by a disc in front of its surface (`buffer`, and `front_normal`, zero where there is none), unless the
    measured depth is beyond the disc; and by a measured depth in front of it (`depth`, 0 for holes), which
    may be off by `per_m2` * z^2. `slack` (m) is the tolerance across the surface, and tilt makes it longer.
    """
    q, n = np.empty(3), np.empty(3)
    for k in range(coord.shape[0]):
        for r in range(3):
            q[r] = T[r, 0] * coord[k, 0] + T[r, 1] * coord[k, 1] + T[r, 2] * coord[k, 2] + T[r, 3]
            n[r] = T[r, 0] * normal[k, 0] + T[r, 1] * normal[k, 1] + T[r, 2] * normal[k, 2]
        if not (q[2] > 0 and limits[0] <= q[2] <= limits[1]):
            continue
        row, _ = _pixel(q, view, int(view[5]), int(view[4]))
        if row < 0:
            continue
        in_view[column[k]] += 1
        # Rounding may put a point on the picture's border outside the buffer: no disc hides it there.
        bi, bj = _pixel(q, buffer_pinhole, buffer.shape[0], buffer.shape[1])
        di, dj = _pixel(q, depth_pinhole, depth.shape[0], depth.shape[1])
        tilt = _facing(q, n)
        if bi >= 0:
            m = front_normal[bi, bj]
            if abs(normal[k, 0] * m[0] + normal[k, 1] * m[1] + normal[k, 2] * m[2]) < ALIKE:
                tilt = 1.0
        allowed = slack[k] / tilt
        ahead = np.inf if bi < 0 else buffer[bi, bj]
        hidden = bi >= 0 and _depth_at(q, n, bi, bj, buffer_pinhole) > ahead + allowed
        if di >= 0 and depth[di, dj] > 0:
            noise = per_m2 * q[2] ** 2
            in_front = _depth_at(q, n, di, dj, depth_pinhole) > depth[di, dj] + allowed + noise
            hidden = in_front or (hidden and ahead >= depth[di, dj] - slack[k] - noise)
        if not hidden:
            seen[column[k]] += 1


@compiled
def _facing(q: np.ndarray, n: np.ndarray) -> float:
    """Sine of the angle between a surface (normal n) and the ray to its point q, at least `GRAZING`."""
    length = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2])
    sine: float = abs(n[0] * q[0] + n[1] * q[1] + n[2] * q[2]) / length
    return max(sine, GRAZING)


@compiled
def _depth_at(q: np.ndarray, n: np.ndarray, i: int, j: int, pinhole: np.ndarray) -> float:
    """Depth where the ray of a pixel's centre meets the plane through q with normal n; q's own if grazing."""
    dx, dy = (j - pinhole[2]) / pinhole[0], (i - pinhole[3]) / pinhole[1]
    slope = n[0] * dx + n[1] * dy + n[2]
    depth: float = q[2]
    if abs(slope) >= GRAZING * math.sqrt(dx * dx + dy * dy + 1.0):
        depth = (n[0] * q[0] + n[1] * q[1] + n[2] * q[2]) / slope
    return depth


@compiled
def _pixel(q: np.ndarray, pinhole: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """Row and column of the pixel that q falls on; (-1, -1) outside the image."""
    u, v = pinhole[0] * q[0] / q[2] + pinhole[2], pinhole[1] * q[1] / q[2] + pinhole[3]
    if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
        return -1, -1
    return math.floor(v + 0.5), math.floor(u + 0.5)
