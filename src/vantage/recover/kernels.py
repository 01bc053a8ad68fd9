"""PoseRecover's two passes over the points of a scan, compiled: nearest depth on each pixel, then hits.

Sums keep the order of the NumPy expression row[0] x + row[1] y + row[2] z + row[3], without fused operations.
"""

from __future__ import annotations

import math

import numpy as np

from vantage.geometry.compiled import compiled


@compiled
def cells_in_view(
    spheres: np.ndarray,
    T: np.ndarray,
    scale: float,
    pinhole: np.ndarray,
    size: np.ndarray,
    chosen: np.ndarray,
) -> int:
    """Write into `chosen` the cells whose sphere reaches into the view; how many they are.

    `T` maps the world to the camera and makes lengths at most `scale` times as long. The view is the one that
    truncation keeps: u and v in (-1, size), z > 0. Spheres that only touch are taken.
    """
    fx, fy, cx, cy = pinhole
    left, right = cx + 1, cx - size[0]
    top, bottom = cy + 1, cy - size[1]
    n_left, n_right = math.sqrt(fx * fx + left * left), math.sqrt(fx * fx + right * right)
    n_top, n_bottom = math.sqrt(fy * fy + top * top), math.sqrt(fy * fy + bottom * bottom)
    count = 0
    for cell in range(spheres.shape[0]):
        a, b, c, radius = spheres[cell]
        x = T[0, 0] * a + T[0, 1] * b + T[0, 2] * c + T[0, 3]
        y = T[1, 0] * a + T[1, 1] * b + T[1, 2] * c + T[1, 3]
        z = T[2, 0] * a + T[2, 1] * b + T[2, 2] * c + T[2, 3]
        # The rounding of this test is far below a billionth of the numbers that go into it.
        slack = 1e-9 * (abs(a) + abs(b) + abs(c) + abs(x) + abs(y) + abs(z) + radius)
        r = (radius + slack) * scale + slack
        if (
            z > -r
            and fx * x + left * z > -r * n_left
            and fx * x + right * z < r * n_right
            and fy * y + top * z > -r * n_top
            and fy * y + bottom * z < r * n_bottom
        ):
            chosen[count] = cell
            count += 1
    return count


@compiled
def score_pose(
    coord: np.ndarray,
    column: np.ndarray,
    starts: np.ndarray,
    chosen: np.ndarray,
    T: np.ndarray,
    pinhole: np.ndarray,
    size: np.ndarray,
    tolerance: float,
    buffer: np.ndarray,
    found: np.ndarray,
    found_z: np.ndarray,
    in_view: np.ndarray,
    hits: np.ndarray,
) -> None:
    """Count each object's points in the view, and those within the tolerance of the nearest on their pixel.

    `T` maps the world to the camera. `buffer` (pixels), `found` (points by pixel and column) and `found_z`
    are scratch; `in_view` and `hits` are counted up from zero.
    """
    fx, fy, cx, cy = pinhole
    width, height = size
    for k in range(width * height):
        buffer[k] = np.inf
    n = 0
    for k in range(chosen.shape[0]):
        for i in range(starts[chosen[k]], starts[chosen[k] + 1]):
            a, b, c = np.float64(coord[i, 0]), np.float64(coord[i, 1]), np.float64(coord[i, 2])
            z = T[2, 0] * a + T[2, 1] * b + T[2, 2] * c + T[2, 3]
            if not z > 0:
                continue
            u = fx * (T[0, 0] * a + T[0, 1] * b + T[0, 2] * c + T[0, 3]) / z + cx
            # Compared before it is truncated: casting a huge value is platform dependent.
            if not (u > -1 and u < width):
                continue
            v = fy * (T[1, 0] * a + T[1, 1] * b + T[1, 2] * c + T[1, 3]) / z + cy
            if not (v > -1 and v < height):
                continue
            pixel = int(v) * width + int(u)  # truncation puts (-1, 0) on 0
            found[n, 0], found[n, 1], found_z[n] = pixel, column[i], z
            n += 1
            if z < buffer[pixel]:
                buffer[pixel] = z
    for k in range(n):
        in_view[found[k, 1]] += 1
        if found_z[k] <= buffer[found[k, 0]] + tolerance:
            hits[found[k, 1]] += 1
