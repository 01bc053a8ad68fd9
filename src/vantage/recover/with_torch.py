"""The published scores with PyTorch, for a GPU: operation by operation the same float64 arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from vantage.recover.shrunk import ShrunkCamera

#: Points times poses worked on at a time; memory follows this, not the number of poses.
_BATCH = 1 << 23


def counts_on(
    device: str,
    coord: Float32[np.ndarray, "n 3"],
    column: Int64[np.ndarray, "n"],
    n_ids: int,
    inverses: Sequence[Float64[np.ndarray, "4 4"]],
    cameras: Sequence[ShrunkCamera],
    tolerance_m: float,
) -> tuple[Int64[np.ndarray, "p ids"], Int64[np.ndarray, "p ids"]]:
    """Hits and points in view of each object (column) from each pose (row)."""
    hits, in_view = (np.zeros((len(inverses), n_ids), dtype=np.int64) for _ in range(2))
    if not len(coord):
        return hits, in_view
    axes = torch.from_numpy(np.ascontiguousarray(coord.T)).to(device, torch.float64)
    columns = torch.from_numpy(np.ascontiguousarray(column)).to(device)
    step = max(1, _BATCH // len(coord))
    for first in range(0, len(inverses), step):
        rows = slice(first, min(first + step, len(inverses)))
        T = torch.from_numpy(np.stack(inverses[rows])).to(device)
        found = _batch(axes, columns, n_ids, T, cameras[rows], tolerance_m)
        in_view[rows], hits[rows] = (each.cpu().numpy() for each in found)
    return hits, in_view


def _batch(
    axes: torch.Tensor,
    column: torch.Tensor,
    n_ids: int,
    T_cam_world: torch.Tensor,
    cameras: Sequence[ShrunkCamera],
    tolerance_m: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Points in view and hits, (p, ids) each; every product and sum rounded by itself, in order."""
    poses, device = len(cameras), axes.device

    def row(k: int) -> torch.Tensor:
        a, b, c, d = (T_cam_world[:, k, j, None] for j in range(4))
        return a * axes[0] + b * axes[1] + c * axes[2] + d

    def of(name: str, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        return torch.tensor([getattr(camera, name) for camera in cameras], dtype=dtype, device=device)[
            :, None
        ]

    width, height = of("width", torch.int64), of("height", torch.int64)
    z = row(2)
    u = of("fx") * row(0) / z + of("cx")
    v = of("fy") * row(1) / z + of("cy")
    inside = (z > 0) & (u > -1) & (u < width) & (v > -1) & (v < height)
    pose, point = torch.nonzero(inside, as_tuple=True)
    pixels = max(camera.width * camera.height for camera in cameras)
    pixel = v[inside].long() * width[pose, 0] + u[inside].long() + pose * pixels
    z = z[inside]
    buffer = torch.full((poses * pixels,), torch.inf, dtype=torch.float64, device=device)
    buffer.scatter_reduce_(0, pixel, z, "amin")
    cell = pose * n_ids + column[point]
    hit = z <= buffer[pixel] + tolerance_m
    counts = (torch.bincount(each, minlength=poses * n_ids) for each in (cell, cell[hit]))
    in_view, hits = (each.reshape(poses, n_ids) for each in counts)
    return in_view, hits
