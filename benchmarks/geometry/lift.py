"""Patch points of a depth image: all patches in one sort, against a patch at a time.

The straightforward way computes the rays and the patch of every pixel for each frame, masks one patch after
another and takes its median. Both give the same points; the ratio is of medians over the same frames.
"""

from __future__ import annotations

import time

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.lift.patches import patch_coordinates

DEPTH = Pinhole(320, 240, 205.0, 206.0, 160.0, 120.0)
COLOR = Pinhole(384, 288, 250.0, 250.0, 190.0, 140.0)
FRAMES = 24


def straightforward(depth: np.ndarray, pose: np.ndarray, grid: tuple[int, int], share: float) -> np.ndarray:
    """The points of the patches, (rows, columns, 3), a patch at a time."""
    v, u = np.mgrid[0 : DEPTH.height, 0 : DEPTH.width]
    x, y = (u - DEPTH.cx) / DEPTH.fx, (v - DEPTH.cy) / DEPTH.fy
    column = np.floor((COLOR.fx * x + COLOR.cx + 0.5) * grid[1] / COLOR.width)
    row = np.floor((COLOR.fy * y + COLOR.cy + 0.5) * grid[0] / COLOR.height)
    xyz = np.zeros((*grid, 3))
    for i in range(grid[0]):
        for j in range(grid[1]):
            patch = (row == i) & (column == j)
            pixels = np.flatnonzero(patch & (depth > 0))
            if len(pixels) == 0 or len(pixels) < share * patch.sum():
                continue
            z = depth.ravel()[pixels]
            k = pixels[np.argsort(z, kind="stable")[(len(z) - 1) // 2]]
            p_cam = np.array([x.ravel()[k], y.ravel()[k], 1.0]) * float(depth.ravel()[k])
            xyz[i, j] = pose[:3, :3] @ p_cam + pose[:3, 3]
    return xyz


def waves(rng: np.random.Generator) -> np.ndarray:
    """A smooth surface with noise, in whole millimetres."""
    v, u = np.mgrid[0 : DEPTH.height, 0 : DEPTH.width] / 40.0
    a, b = rng.uniform(0, 6, 2)
    depth = 2.5 + np.sin(u + a) + np.cos(v + b) + rng.normal(size=u.shape) * 0.01
    return np.round(depth, 3).astype(np.float32)


def main() -> None:
    """Print milliseconds for each frame and the ratio, at the pocket model's grid and at a large one."""
    rng = np.random.default_rng(0)
    depths = [waves(rng) for _ in range(FRAMES)]
    for depth in depths:
        depth[rng.random(depth.shape) < 0.1] = 0
    pose = np.eye(4)
    for grid in ((8, 8), (27, 27)):
        patch_coordinates(
            depths[0], DEPTH, pose, COLOR, grid, 0.1
        )  # the layout is computed once for a camera
        times: dict[str, list[float]] = {"vantage": [], "straightforward": []}
        for depth in depths if grid == (8, 8) else depths[:4]:
            start = time.perf_counter()
            fast = patch_coordinates(depth, DEPTH, pose, COLOR, grid, 0.1)
            middle = time.perf_counter()
            slow = straightforward(depth, pose, grid, 0.1)
            times["vantage"].append(middle - start)
            times["straightforward"].append(time.perf_counter() - middle)
            np.testing.assert_allclose(fast.xyz_world, slow, atol=1e-5)
        fast_ms, slow_ms = (1e3 * float(np.median(times[name])) for name in ("vantage", "straightforward"))
        print(
            f"lift, 320x240 depth into {grid[0]}x{grid[1]} patches: {fast_ms:.1f} ms a frame, "
            f"straightforward {slow_ms:.1f} ms, {slow_ms / fast_ms:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
