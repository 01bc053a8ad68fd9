"""Visibility scores: compiled, against the published program's way, with identical results.

The published program (PoseAlign3D, `pose_recover`) projects with NumPy, but fills its depth buffer and counts
its hits a point at a time in Python, and selects and projects each object's points again for each pose. It is
timed on a few of the poses; ours on all of them, what it does once for a scan included, compiling not.
"""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw
from vantage.records.objects import ScanPoints
from vantage.recover.calibrated import Tolerances, visible_fractions
from vantage.recover.pixel_labels import PixelLabels
from vantage.recover.published import published_scores

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

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
    """Scores as the published program computes them, with its two inversions of each pose."""
    fx, fy, cx, cy = (value * shrink for value in (SCANNET.fx, SCANNET.fy, SCANNET.cx, SCANNET.cy))
    width, height = int(SCANNET.width * shrink), int(SCANNET.height * shrink)

    def projected(coord: np.ndarray, T_cam_world: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        p_cam = T_cam_world @ np.hstack([coord, np.ones((len(coord), 1))]).T
        x, y, z = p_cam[:3, p_cam[2] > 0]
        u, v = (fx * x / z + cx).astype(int), (fy * y / z + cy).astype(int)
        inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
        return u[inside], v[inside], z[inside]

    ids = np.unique(points.instance)
    scores = np.zeros((len(poses), len(ids)), dtype=np.float32)
    for i, pose in enumerate(poses):
        depth = np.full((height, width), np.inf)
        for u, v, z in zip(*projected(points.coord, np.linalg.inv(pose)), strict=True):
            if z < depth[v, u]:
                depth[v, u] = z
        T_cam_world = np.linalg.inv(pose)
        for j, object_id in enumerate(ids):
            coord = points.coord[np.isin(points.instance, object_id)]
            hits = 0
            for u, v, z in zip(*projected(coord, T_cam_world), strict=True):
                if z <= depth[v, u] + 1e-3:
                    hits += 1
            scores[i, j] = hits / len(coord)
    return scores


def reference(points: ScanPoints, poses: list[np.ndarray], threads: int) -> tuple[float, np.ndarray]:
    """Milliseconds for each pose, the best of three, and the scores."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = published_scores(
            points.coord, points.instance, poses, [SCANNET] * len(poses), 0.1, threads=threads
        )
        times.append(time.perf_counter() - start)
    return 1e3 * min(times) / len(poses), found.score


def main() -> None:
    """Print the ratio to the published way, linearity, memory, and what the other parts take."""
    reference(make_points(1000, 5), make_poses(2), 1)  # compiles
    for n, objects, count in sized(((30_000, 20, 6), (150_000, 40, 4)), ((3_000, 5, 2),)):
        points, poses = make_points(n, objects), make_poses(sized(100, 4))
        for threads in (1, 2):
            start = time.perf_counter()
            slow = published_way(points, poses[:count], 0.1)
            slow_ms = 1e3 * (time.perf_counter() - start) / count
            fast_ms, fast = reference(points, poses, threads)
            np.testing.assert_array_equal(fast[:count], slow)
            ratio = slow_ms / fast_ms
            print(
                f"reference mode, {n} points, {objects} objects, {threads} thread(s): {fast_ms:.2f} ms, "
                f"published way {slow_ms:.1f} ms a pose, {ratio:.0f} times as fast, scores identical"
            )
    require(ratio >= 25, "the published way must take at least 25 times as long")
    linearity()
    memory()
    calibrated()


def linearity() -> None:
    """The time of a pose follows the points in view: doubled points, and the same in rooms not in view."""
    poses, n = make_poses(sized(40, 2)), sized(150_000, 1500)
    times = [reference(make_points(k * n, 40), poses, 1)[0] for k in (1, 2, 4)]
    shown = ", ".join(f"{ms:.2f}" for ms in times)
    print(f"reference mode, 1, 2, 4 times {n / 1000:g} thousand points: {shown} ms a pose")
    require(times[2] < 8 * times[0], "four times the points must not take more than about four times as long")
    points = make_points(n, 40)
    rooms = [points.coord + np.float32([20 * k, 0, 0]) for k in range(4)]
    many = ScanPoints.plain(np.concatenate(rooms), np.tile(points.instance, 4))
    alone = [
        pose for pose in make_poses(sized(1500, 30)) if pose[0, 2] < -0.5
    ]  # facing away from the other rooms
    one, four = reference(points, alone, 1)[0], reference(many, alone, 1)[0]
    print(
        f"reference mode, three more such rooms behind the camera: {one:.2f} ms a pose, with them {four:.2f}"
    )


def memory() -> None:
    """The most memory held at a time does not grow with the poses."""
    points, peaks = make_points(sized(150_000, 1500), 40), []
    for count in sized((10, 100), (2, 4)):
        tracemalloc.start()
        published_scores(points.coord, points.instance, make_poses(count), [SCANNET] * count, 0.1)
        peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
        tracemalloc.stop()
    print(f"reference mode, memory at the most: 10 poses {peaks[0]:.1f} MiB, 100 poses {peaks[1]:.1f} MiB")
    require(peaks[1] < peaks[0] + 1)


def calibrated() -> None:
    """What the default mode takes on a scan of the demo's size and of ScanNet's."""
    for n, objects, count in sized(((30_000, 20, 24), (150_000, 40, 24)), ((3_000, 5, 2),)):
        points, poses, ids = make_points(n, objects), make_poses(count), np.arange(objects)
        depths = [(depth_of_shell(pose), DEPTH) for pose in poses]
        args = (points.coord, points.instance, ids, poses, [COLOR] * count, 0.1, Tolerances())
        visible_fractions(*args, depth_of=depths.__getitem__)  # compiles
        start = time.perf_counter()
        visible_fractions(*args, depth_of=depths.__getitem__)
        middle = time.perf_counter()
        labels = PixelLabels(points, ids, 4, 0.08)
        for pose, (depth, camera) in zip(poses, depths, strict=True):
            labels.count(depth, pose, camera, COLOR)
        ms = [1e3 * t / count for t in (middle - start, time.perf_counter() - middle)]
        print(
            f"calibrated mode, {n} points, {count} poses: {ms[0]:.1f} ms a pose, preparing the scan included;"
            f" visible pixels {ms[1]:.1f} ms a pose"
        )


if __name__ == "__main__":
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    main()
