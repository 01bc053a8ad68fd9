"""Visibility scores: vectorised, against the published program's way, with identical results.

The published program (PoseAlign3D, `pose_recover`) projects with NumPy, but fills its depth buffer and counts
its hits a point at a time in Python, and selects and projects each object's points again for each pose. It is
timed on a few of the poses; ours on all of them, what it does once for a scan included.
"""

from __future__ import annotations

import time

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw
from vantage.records.objects import ScanPoints
from vantage.recover.measured import ObjectPoints, PixelLabels, agreement_scores
from vantage.recover.published import published_scores

SCANNET = Pinhole(1296, 968, 1169.621094, 1167.105103, 646.295044, 489.927032)
DEPTH = Pinhole(320, 240, 205.0, 206.0, 160.0, 120.0)
COLOR = Pinhole(384, 288, 250.0, 250.0, 190.0, 140.0)


def surface(rng: np.random.Generator, center: np.ndarray, size: np.ndarray, n: int) -> np.ndarray:
    """Points on the faces of an axis-aligned box, with 3 mm noise."""
    p = rng.uniform(-0.5, 0.5, (n, 3))
    axis = rng.integers(0, 3, n)
    p[np.arange(n), axis] = np.sign(p[np.arange(n), axis]) / 2
    return p * size + center + rng.normal(size=(n, 3)) * 0.003


def make_points(n: int, objects: int) -> ScanPoints:
    """A room of 7.0 x 5.5 x 2.7 m: 45 % of the points on its shell (id -1), the rest on boxes."""
    rng = np.random.default_rng(0)
    shell = int(0.45 * n)
    parts = [surface(rng, np.array([0, 0, 1.35]), np.array([7.0, 5.5, 2.7]), shell)]
    ids = [np.full(shell, -1)]
    for k in range(objects):
        size = rng.uniform(0.3, 1.2, 3)
        center = np.array([*rng.uniform([-3, -2.3], [3, 2.3]), size[2] / 2])
        parts.append(surface(rng, center, size, (n - shell) // objects))
        ids.append(np.full(len(parts[-1]), k))
    order = rng.permutation(sum(len(part) for part in parts))
    return ScanPoints.plain(
        np.concatenate(parts)[order].astype(np.float32), np.concatenate(ids)[order].astype(np.int32)
    )


def make_poses(n: int) -> list[np.ndarray]:
    """Level cameras at 1.45 m."""
    rng = np.random.default_rng(1)
    cam = compose(R_FLU_RDF, np.zeros(3))
    return [
        from_yaw(rng.uniform(-3, 3), (rng.uniform(-2, 2), rng.uniform(-1.5, 1.5), 1.45)) @ cam
        for _ in range(n)
    ]


def depth_of_shell(pose: np.ndarray) -> np.ndarray:
    """Exact depth image of the empty room."""
    directions = DEPTH.rays() @ pose[:3, :3].T
    walls = np.where(directions > 0, [3.5, 2.75, 2.7], [-3.5, -2.75, 0.0])
    with np.errstate(divide="ignore"):
        along = (walls - pose[:3, 3]) / directions
    return along.min(axis=-1).astype(np.float32)


def published_way(points: ScanPoints, poses: list[np.ndarray], shrink: float) -> np.ndarray:
    """Scores as the published program computes them."""
    fx, fy, cx, cy = (value * shrink for value in (SCANNET.fx, SCANNET.fy, SCANNET.cx, SCANNET.cy))
    width, height = int(SCANNET.width * shrink), int(SCANNET.height * shrink)

    def projected(coord: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p_cam = np.linalg.inv(pose) @ np.hstack([coord, np.ones((len(coord), 1))]).T
        x, y, z = p_cam[:3, p_cam[2] > 0]
        u, v = (fx * x / z + cx).astype(int), (fy * y / z + cy).astype(int)
        inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
        return u[inside], v[inside], z[inside]

    ids = np.unique(points.instance)
    scores = np.zeros((len(poses), len(ids)), dtype=np.float32)
    for i, pose in enumerate(poses):
        depth = np.full((height, width), np.inf)
        for u, v, z in zip(*projected(points.coord, pose), strict=True):
            if z < depth[v, u]:
                depth[v, u] = z
        for j, object_id in enumerate(ids):
            coord = points.coord[np.isin(points.instance, object_id)]
            hits = 0
            for u, v, z in zip(*projected(coord, pose), strict=True):
                if z <= depth[v, u] + 1e-3:
                    hits += 1
            scores[i, j] = hits / len(coord)
    return scores


def main() -> None:
    """Print milliseconds for each pose and the ratio, then what the depth mode takes on a demo-sized scan."""
    for n, objects, count in ((30_000, 20, 8), (150_000, 40, 4)):
        points, poses = make_points(n, objects), make_poses(100)
        start = time.perf_counter()
        slow = published_way(points, poses[:count], 0.1)
        middle = time.perf_counter()
        _, fast = published_scores(points.coord, points.instance, poses, [SCANNET] * len(poses), 0.1)
        fast_ms = 1e3 * (time.perf_counter() - middle) / len(poses)
        slow_ms = 1e3 * (middle - start) / count
        np.testing.assert_array_equal(fast[:count], slow)
        print(
            f"recover, reference mode, {n} points, {objects} objects: {fast_ms:.1f} ms a pose, "
            f"published way {slow_ms:.1f} ms, {slow_ms / fast_ms:.1f} times as fast, scores identical"
        )
    depth_mode()


def depth_mode() -> None:
    """What the default mode takes on a scan of the demo's size, beside the published way on the same scan."""
    points, poses, ids = make_points(30_000, 20), make_poses(24), np.arange(20)
    depths = [depth_of_shell(pose) for pose in poses]
    times = []
    for _ in range(3):  # the first round loads SciPy
        start = time.perf_counter()
        labels, mine = PixelLabels(points, ids, 4, 0.08), ObjectPoints.of(points, ids)
        for pose, depth in zip(poses, depths, strict=True):
            labels.count(depth, pose, DEPTH, COLOR)
            agreement_scores(mine, depth, DEPTH, pose, 0.04, 0.01)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    published_way(points, poses[:6], 0.1)
    slow_ms = 1e3 * (time.perf_counter() - start) * len(poses) / 6
    fast_ms = 1e3 * float(np.median(times[1:]))
    print(
        f"recover, depth mode, 30000 points, 24 poses: scores and visible pixels {fast_ms:.0f} ms, "
        f"published way (scores alone) {slow_ms:.0f} ms, {slow_ms / fast_ms:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
