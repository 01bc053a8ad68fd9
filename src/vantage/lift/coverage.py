"""View sets by greedy maximum coverage of voxels, after Video-3D-LLM, with ties that a seed decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply
from vantage.geometry.voxels import voxel_keys


@dataclass(frozen=True)
class Coverage:
    """A choice of views.

    Attributes:
        chosen: indices of the views, in the order of choice.
        gains: newly covered voxels at each choice.
        voxels: voxels that all candidates cover together.
    """

    chosen: list[int]
    gains: list[int]
    voxels: int


def frame_voxels(
    depth: Float32[np.ndarray, "h w"],
    camera: Pinhole,
    T_world_cam: Float[np.ndarray, "4 4"],
    voxel_m: float,
    stride: int,
) -> Int64[np.ndarray, "n"]:
    """Sorted keys of the voxels (edge `voxel_m` metres, world of the pose) that a depth image (m) sees.

    Every `stride`-th row and column counts; holes (0, negative, not finite) do not.
    """
    first = min(stride, *depth.shape) // 2
    v, u = np.mgrid[first : depth.shape[0] : stride, first : depth.shape[1] : stride]
    z = depth[v, u]
    seen = (z > 0) & np.isfinite(z)
    pixels = np.stack([u[seen], v[seen]], axis=-1).astype(np.float64)
    p_world = apply(T_world_cam, camera.backproject(pixels, z[seen]))
    return np.unique(voxel_keys(p_world, voxel_m))


def greedy_coverage(
    voxels: Sequence[Int64[np.ndarray, "_"]], views: int, priorities: Sequence[int]
) -> Coverage:
    """Choose up to `views` candidates, each time the one with most voxels not covered yet.

    `voxels` holds the distinct voxel keys of each candidate. Equal gains go to the smaller priority, then
    to the earlier candidate. Once everything is covered the rest are chosen all the same, with gain 0, so
    that a scan with enough frames always has its full number of views.
    """
    n = len(voxels)
    if n != len(priorities):
        raise ValueError(f"{n} candidates, but {len(priorities)} priorities")
    if n == 0:
        return Coverage([], [], 0)
    known, cell = np.unique(np.concatenate(voxels), return_inverse=True)
    owner = np.repeat(np.arange(n), [len(keys) for keys in voxels])
    covered = np.zeros(len(known), dtype=bool)
    left = set(range(n))
    chosen: list[int] = []
    gains: list[int] = []
    while left and len(chosen) < views:
        gain = np.bincount(owner[~covered[cell]], minlength=n)
        best = min(left, key=lambda i: (-int(gain[i]), priorities[i], i))
        left.remove(best)
        chosen.append(best)
        gains.append(int(gain[best]))
        covered[cell[owner == best]] = True
    return Coverage(chosen, gains, len(known))
