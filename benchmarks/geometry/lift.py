"""Patch points of depth images: one sort of packed words, against two straightforward ways.

`every pixel` carries each depth pixel into the world and through the colour camera to its patch, sorts the
pixels by patch and depth, and takes the middle one of each patch; it spares itself matrix products, whose
threads get in each other's way on a busy machine. `a patch at a time` masks one patch after another. All give
the same points. The ratio is the median of rounds in which both take the same frames in turn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw
from vantage.geometry.warp import ImageWarp, Tile
from vantage.lift.patches import patch_coordinates

sys.path.append(str(Path(__file__).parents[1]))

from small import require, sized

ROUNDS = sized(7, 1)
SHARE = 0.1
POSE = from_yaw(0.3, (1.0, 2.0, 1.5))


@dataclass(frozen=True)
class Setting:
    """Frames of a depth camera, and a grid of patches over the colour image."""

    depth: Pinhole
    color: Pinhole
    grid: tuple[int, int]
    frames: int

    def warp(self) -> ImageWarp:
        """The colour image squashed to patches of 14 pixels."""
        rows, columns = self.grid
        tile = Tile(self.color.width, self.color.height).resized(14 * columns, 14 * rows)
        return ImageWarp(self.color.width, self.color.height, 14, (tile,))


POCKET = Setting(
    Pinhole(320, 240, 205.0, 206.0, 160.0, 120.0),
    Pinhole(384, 288, 250.0, 250.0, 190.0, 140.0),
    (8, 8),
    sized(24, 2),
)
VLM = Setting(
    Pinhole(640, 480, 577.6, 578.7, 318.9, 242.7),
    Pinhole(1296, 968, 1170.0, 1170.0, 646.0, 489.0),
    (27, 27),
    sized(8, 1),
)


def patch_of(one: Setting, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The patch that rays (x, y, 1) pass through, -1 for none."""
    column = np.floor((one.color.fx * x + one.color.cx + 0.5) * (one.grid[1] / one.color.width)).astype(int)
    row = np.floor((one.color.fy * y + one.color.cy + 0.5) * (one.grid[0] / one.color.height)).astype(int)
    inside = (row >= 0) & (row < one.grid[0]) & (column >= 0) & (column < one.grid[1])
    return np.where(inside, row * one.grid[1] + column, -1)


def every_pixel(one: Setting, depth: np.ndarray) -> np.ndarray:
    """The points of the patches, (patches, 3): all pixels unprojected, sorted, the middle ones picked."""
    v, u = np.mgrid[0 : one.depth.height, 0 : one.depth.width]
    x, y = (u - one.depth.cx) / one.depth.fx, (v - one.depth.cy) / one.depth.fy
    px, py = x * depth, y * depth
    world = [row[0] * px + row[1] * py + row[2] * depth + row[3] for row in POSE[:3]]
    patch, z = patch_of(one, x, y).ravel(), depth.ravel()
    seen = np.flatnonzero((z > 0) & (patch >= 0))
    order = seen[np.argsort(patch[seen] * 1000.0 + z[seen], kind="stable")]
    patches = one.grid[0] * one.grid[1]
    count = np.bincount(patch[seen], minlength=patches)
    total = np.bincount(patch[patch >= 0], minlength=patches)
    valid = (count > 0) & (count >= SHARE * total)
    middle = order[(np.cumsum(count) - count + (count - 1) // 2)[valid]]
    xyz = np.zeros((patches, 3), dtype=np.float32)
    xyz[valid] = np.stack([axis.ravel()[middle] for axis in world], axis=-1)
    return xyz


def patch_at_a_time(one: Setting, depth: np.ndarray) -> np.ndarray:
    """The same, masking a patch after another and unprojecting only its middle pixel."""
    v, u = np.mgrid[0 : one.depth.height, 0 : one.depth.width]
    x, y = (u - one.depth.cx) / one.depth.fx, (v - one.depth.cy) / one.depth.fy
    of = patch_of(one, x, y)
    xyz = np.zeros((one.grid[0] * one.grid[1], 3), dtype=np.float32)
    for k in range(len(xyz)):
        patch = of == k
        pixels = np.flatnonzero(patch & (depth > 0))
        if len(pixels) == 0 or len(pixels) < SHARE * patch.sum():
            continue
        z = depth.ravel()[pixels]
        best = pixels[np.argsort(z, kind="stable")[(len(z) - 1) // 2]]
        p_cam = np.array([x.ravel()[best], y.ravel()[best], 1.0]) * float(depth.ravel()[best])
        xyz[k] = POSE[:3, :3] @ p_cam + POSE[:3, 3]
    return xyz


def waves(camera: Pinhole, rng: np.random.Generator) -> np.ndarray:
    """A smooth surface with noise, in whole millimetres, a tenth of it holes."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width] * (8.0 / camera.width)
    a, b = rng.uniform(0, 6, 2)
    depth = np.round(2.5 + np.sin(u + a) + np.cos(v + b) + rng.normal(size=u.shape) * 0.01, 3)
    depth[rng.random(depth.shape) < 0.1] = 0
    return depth.astype(np.float32)


def seconds(work: Callable[[np.ndarray], object], depths: Sequence[np.ndarray]) -> float:
    """The time that some work takes on all of some frames."""
    start = time.perf_counter()
    for depth in depths:
        work(depth)
    return time.perf_counter() - start


def measure(one: Setting) -> float:
    """Print the milliseconds for all frames and the ratios; returns that to `every pixel`."""
    rng = np.random.default_rng(0)
    warp = one.warp()
    depths = [waves(one.depth, rng) for _ in range(one.frames)]

    def ours(depth: np.ndarray) -> np.ndarray:
        return patch_coordinates(depth, one.depth, POSE, one.color, warp, SHARE).xyz_world.reshape(-1, 3)

    every, single = partial(every_pixel, one), partial(patch_at_a_time, one)
    for depth in depths:  # the first call computes the layout, once for a camera
        np.testing.assert_allclose(ours(depth), every(depth), atol=1e-6)
    np.testing.assert_allclose(ours(depths[0]), single(depths[0]), atol=1e-6)
    rounds = [(seconds(ours, depths), seconds(every, depths)) for _ in range(ROUNDS)]
    fast_ms, every_ms = 1e3 * np.median(rounds, axis=0)
    single_ms = 1e3 * seconds(single, depths[:2]) * len(depths) / 2
    ratio = float(np.median([slow / fast for fast, slow in rounds]))
    print(
        f"lift, {one.frames} views {one.depth.width}x{one.depth.height} into {one.grid[0]}x{one.grid[1]} "
        f"patches: {fast_ms:.0f} ms; every pixel {every_ms:.0f} ms, {ratio:.1f} times as fast; "
        f"a patch at a time {single_ms:.0f} ms, {single_ms / fast_ms:.1f} times"
    )
    return ratio


def main() -> None:
    """The pocket model's grid, and a large model's, for which the ratio must be at least 3."""
    measure(POCKET)
    ratio = measure(VLM)
    require(ratio >= 3, f"at least 3 times as fast was expected, found {ratio:.1f}")


if __name__ == "__main__":
    main()
