"""Discs drawn into a depth buffer: the compiled loop behind `surfels`."""

from __future__ import annotations

import math

import numpy as np

from vantage.geometry.compiled import compiled


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
