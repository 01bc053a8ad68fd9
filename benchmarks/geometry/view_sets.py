"""View sets of 300 candidate frames on a 0.1 m grid: the lazy greedy, against counting every candidate anew.

The naive greedy keeps each frame's voxels as a set and, for each view, takes every set apart from what is
covered. Both choose the same views with the same gains, ties included; the frames stand around an empty room
in pairs of equal ones, so that there are ties to decide.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vantage.core.seeds import priority
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose
from vantage.lift.coverage import Coverage, frame_voxels, greedy_coverage

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

DEPTH = Pinhole(320, 240, 205.0, 206.0, 160.0, 120.0)
FRAMES, ROOM_M = sized(300, 40), np.array([7.0, 5.0, 2.7])
ALL_AT_ONCE_S = 1.0


def naive(voxels: Sequence[np.ndarray], views: int, priorities: Sequence[int]) -> Coverage:
    """The greedy choice as it is defined."""
    left = {i: set(keys.tolist()) for i, keys in enumerate(voxels)}
    total = len(set().union(*left.values()))
    covered: set[int] = set()
    chosen, gains = [], []
    while left and len(chosen) < views:
        gain = {i: len(keys - covered) for i, keys in left.items()}
        best = min(left, key=lambda i: (-gain[i], priorities[i], i))
        covered |= left.pop(best)
        chosen.append(best)
        gains.append(gain[best])
    return Coverage(chosen, gains, total)


def room_depth(T_world_cam: np.ndarray) -> np.ndarray:
    """The depth image (m) of the inside of a box from a camera in it, to whole millimetres."""
    rays = DEPTH.rays() @ T_world_cam[:3, :3].T
    wall = np.where(rays > 0, ROOM_M, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.where(rays == 0, np.inf, (wall - T_world_cam[:3, 3]) / rays)
    return np.round(along.min(axis=-1), 3).astype(np.float32)


def path(rng: np.random.Generator) -> list[np.ndarray]:
    """Cameras that look around from here and there, each of them twice."""
    poses = []
    for _ in range(FRAMES // 2):
        place = rng.uniform(0.2, 0.8, 3) * ROOM_M
        turn = Rotation.from_euler("zy", rng.uniform((-np.pi, -0.4), (np.pi, 0.4))).as_matrix()
        poses += [compose(turn @ R_FLU_RDF, place)] * 2
    return poses


def main() -> None:
    """Print seconds and ratios for 8 and 32 views."""
    rng = np.random.default_rng(0)
    poses = path(rng)
    depths = [room_depth(pose) for pose in poses]
    ties = [priority(0, "benchmark", i) for i in range(FRAMES)]
    start = time.perf_counter()
    voxels = [frame_voxels(depth, DEPTH, pose, 0.1, 4) for depth, pose in zip(depths, poses, strict=True)]
    binned = time.perf_counter() - start
    print(f"coverage, {FRAMES} depth images of 320x240 into 0.1 m voxels: {binned:.2f} s")
    for views in (8, 32):
        start = time.perf_counter()
        lazy = greedy_coverage(voxels, views, ties)
        middle = time.perf_counter()
        plain = naive(voxels, views, ties)
        lazy_s, naive_s = middle - start, time.perf_counter() - middle
        assert lazy == plain, "not the naive choice"
        print(
            f"coverage, {views} views of {lazy.total} voxels: {lazy_s:.2f} s, naive {naive_s:.2f} s, "
            f"{naive_s / lazy_s:.1f} times as fast"
        )
        require(binned + lazy_s < ALL_AT_ONCE_S, "over a second")


if __name__ == "__main__":
    main()
