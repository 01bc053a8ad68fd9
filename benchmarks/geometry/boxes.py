"""Exact 3D IoU of oriented boxes: the compiled kernel, against Qhull on the twelve half-spaces of a pair.

Qhull is right, general and slow: a linear programme finds a point inside, Qhull intersects the half-spaces
about it and measures the hull of the corners. It is timed on a sample of the kernel's pairs;
both must agree within 1e-6, relatively. Compilation is left out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection
from scipy.spatial.transform import Rotation

from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.iou3d import center_size_iou, iou_matrix, iou_pairs

sys.path.append(str(Path(__file__).parents[1]))

from small import sized

PAIRS = sized(100_000, 1_000)
SAMPLE = sized(300, 30)


def furniture(rng: np.random.Generator, n: int) -> OrientedBoxes:
    """Boxes of every orientation within a metre of each other, edges of 8 cm to 2.7 m."""
    size = np.exp(rng.uniform(-2.5, 1.0, (n, 3)))
    rotation = Rotation.random(n, random_state=rng).as_matrix()
    return OrientedBoxes(rng.normal(size=(n, 3)) * 0.35, size, rotation)


def halfspaces(box: OrientedBox) -> np.ndarray:
    """Rows (normal, offset) with normal . p + offset <= 0 inside."""
    normals = np.concatenate([box.rotation.T, -box.rotation.T])
    return np.c_[normals, -(normals @ box.center + np.tile(box.size / 2, 2))]


def iou_by_qhull(a: OrientedBox, b: OrientedBox) -> float:
    """IoU of two boxes, the slow way."""
    planes = np.concatenate([halfspaces(a), halfspaces(b)])
    bounds = [(None, None)] * 3 + [(0, None)]
    ball = linprog([0, 0, 0, -1], np.c_[planes[:, :3], np.ones(12)], -planes[:, 3], bounds=bounds)
    if not ball.success or ball.x[3] < 1e-7:
        return 0.0
    shared = ConvexHull(HalfspaceIntersection(planes, ball.x[:3]).intersections).volume
    return float(shared / (a.volume + b.volume - shared))


def seconds_of(action: object, repeats: int = 5) -> float:
    """The median time of a call."""
    assert callable(action)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    """Print seconds for 100,000 pairs, on one thread and on two, and the ratio to Qhull."""
    rng = np.random.default_rng(0)
    a, b = furniture(rng, PAIRS), furniture(rng, PAIRS)
    iou = iou_pairs(a, b)
    start = time.perf_counter()
    slow = np.array([iou_by_qhull(a[i], b[i]) for i in range(SAMPLE)])
    each = (time.perf_counter() - start) / SAMPLE
    np.testing.assert_allclose(iou[:SAMPLE], slow, rtol=1e-6, atol=1e-9)
    assert np.array_equal(iou, iou_pairs(b, a))
    assert iou.max() <= 1
    one, two = (seconds_of(lambda n=n: iou_pairs(a, b, n)) for n in (1, 2))
    print(
        f"3D IoU of {PAIRS:,} pairs of oriented boxes ({(iou > 0).mean():.0%} overlap): {two:.2f} s on two "
        f"threads, {one:.2f} s on one; Qhull {each * PAIRS:.0f} s (from {SAMPLE} pairs), "
        f"{each * PAIRS / one:.0f} times as long as one thread"
    )
    rows, columns = furniture(rng, sized(400, 20)), furniture(rng, sized(250, 20))
    upright_a, upright_b = (np.concatenate([x.center, x.size], axis=1) for x in (a, b))
    exact = iou_pairs(OrientedBoxes.upright(a.center, a.size), OrientedBoxes.upright(b.center, b.size))
    np.testing.assert_allclose(center_size_iou(upright_a, upright_b), exact, rtol=1e-9, atol=1e-12)
    print(
        f"3D IoU, 400 x 250 matrix: {seconds_of(lambda: iou_matrix(rows, columns)):.2f} s; axis-aligned, "
        f"{PAIRS:,} pairs: {seconds_of(lambda: center_size_iou(upright_a, upright_b)) * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
