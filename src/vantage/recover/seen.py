"""The compiled loop of the calibrated scores: points against the discs and the depth image that hide them."""

from __future__ import annotations

import math

import numpy as np

from vantage.geometry.compiled import compiled

#: A surface seen at less than this sine of an angle is as uncertain in depth as at this one.
GRAZING = 0.1
#: Cosine of the angle up to which two surfaces may be one; only within one does tilt blur the depth.
ALIKE = 0.87


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
