"""Compiled loops that call no other: rays of a pinhole camera, depth facts, the flooding of a floor."""

from __future__ import annotations

import math

import numpy as np

from vantage.geometry.compiled import compiled


@compiled
def fill_rays(T: np.ndarray, pinhole: np.ndarray, pattern: np.ndarray, rays: np.ndarray) -> None:
    """World rays (origin, direction) of the pixels; directions have length 1 along the optical axis.

    `pinhole`: fx, fy, cx, cy. `pattern`: offsets (s, 2) from the pixel's centre in pixels.
    """
    fx, fy, cx, cy = pinhole
    for n in range(T.shape[0]):
        for i in range(rays.shape[1]):
            for j in range(rays.shape[2]):
                for s in range(pattern.shape[0]):
                    x = (j + pattern[s, 0] - cx) / fx
                    y = (i + pattern[s, 1] - cy) / fy
                    for k in range(3):
                        rays[n, i, j, s, k] = T[n, k, 3]
                        rays[n, i, j, s, 3 + k] = T[n, k, 0] * x + T[n, k, 1] * y + T[n, k, 2]


@compiled
def depth_image(
    rays: np.ndarray,
    t: np.ndarray,
    primitive: np.ndarray,
    part_of: np.ndarray,
    normals: np.ndarray,
    part_brightness: np.ndarray,
    object_id: np.ndarray,
    depth: np.ndarray,
    incidence: np.ndarray,
    brightness: np.ndarray,
    ids: np.ndarray,
) -> None:
    """Depth (0 where nothing was met), cosine of the angle to the surface's normal, brightness, object."""
    for n in range(depth.shape[0]):
        for i in range(depth.shape[1]):
            for j in range(depth.shape[2]):
                depth[n, i, j], incidence[n, i, j], brightness[n, i, j] = 0.0, 0.0, 0.0
                ids[n, i, j] = -1
                if not math.isfinite(t[n, i, j, 0]):
                    continue
                f = primitive[n, i, j, 0]
                dot, length = 0.0, 0.0
                for k in range(3):
                    d = rays[n, i, j, 0, 3 + k]
                    dot += d * normals[f, k]
                    length += d * d
                depth[n, i, j] = t[n, i, j, 0]
                incidence[n, i, j] = abs(dot) / math.sqrt(length)
                brightness[n, i, j] = part_brightness[part_of[f]]
                ids[n, i, j] = object_id[part_of[f]]


@compiled
def flood(free: np.ndarray, i0: int, j0: int, steps: np.ndarray) -> None:
    """Steps (4-connected) from a cell to every free cell it reaches; `steps` comes filled with -1."""
    nx, ny = free.shape
    queue = np.empty((nx * ny, 2), np.int64)
    queue[0, 0], queue[0, 1] = i0, j0
    steps[i0, j0] = 0
    head, tail = 0, 1
    while head < tail:
        i, j = queue[head, 0], queue[head, 1]
        head += 1
        for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            k, m = i + a, j + b
            if 0 <= k < nx and 0 <= m < ny and free[k, m] and steps[k, m] < 0:
                steps[k, m] = steps[i, j] + 1
                queue[tail, 0], queue[tail, 1] = k, m
                tail += 1
