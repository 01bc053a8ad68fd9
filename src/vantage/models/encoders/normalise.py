"""Coordinates in the units an encoder is trained with."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float32
from torch import Tensor

from vantage.models.encoders.config import POSE_PLACE, VOXEL_ORIGIN_M, EncoderConfig
from vantage.models.patch_geometry import BatchGeometry

N3D_UNITS = 1000.0
"""In a scene's mean point norm."""


def normalised(geometry: BatchGeometry, config: EncoderConfig) -> BatchGeometry:
    """The geometry with `config.normalisation` applied, sample by sample, in float32.

    A pose beside the points is moved and scaled with them. Everything here is linear, so that the mean of a
    group of patches can be taken afterwards; `voxel` gives real numbers of voxels, which `rounded` makes
    whole once groups are averaged.
    """
    xyz = geometry.xyz.float()
    if config.normalisation == "metres":
        return geometry
    if config.normalisation == "voxel":
        origin = torch.tensor(VOXEL_ORIGIN_M, device=xyz.device)
        return geometry.with_xyz((xyz - origin) / config.voxel_m)
    if config.normalisation == "n3d":
        return geometry.with_xyz(_n3d(geometry))
    middle, half_edge = _boxes(geometry)
    sample = geometry.sample_of_patch()
    unit = half_edge[sample, None] if config.normalisation == "box_unit" else 1.0
    beside = geometry.beside
    if config.kind == "pose_point" and beside is not None:
        beside = beside.clone()
        beside[:, POSE_PLACE] = (beside[:, POSE_PLACE] - middle[sample]) / unit
    return replace(geometry, xyz=(xyz - middle[sample]) / unit, beside=beside)


def encoder_numbers(geometry: BatchGeometry, config: EncoderConfig) -> Float32[Tensor, "n k"]:
    """What the encoder is given for each patch: its point, or what stands beside it, or both.

    Where no patch has a point, what stands beside them is never looked at and may be missing.
    """
    if not config.beside:
        return geometry.xyz.float()
    beside = geometry.beside
    if beside is None:
        beside = torch.zeros(len(geometry.valid), config.beside, device=geometry.xyz.device)
    return (
        torch.cat([beside, geometry.xyz], dim=-1).float() if config.kind == "pose_point" else beside.float()
    )


def rounded(xyz: Float32[Tensor, "*n k"], config: EncoderConfig) -> Float32[Tensor, "*n k"]:
    """Whole voxels, cut to the grid, under `voxel`; whole units under `n3d`; else the same numbers."""
    if config.normalisation == "n3d":
        return xyz.round()
    if config.normalisation != "voxel":
        return xyz
    last = torch.tensor(config.cells(), dtype=torch.float32, device=xyz.device) - 1.0
    return torch.minimum(xyz.round().clamp(min=0.0), last)


def _n3d(geometry: BatchGeometry) -> Float32[Tensor, "n 3"]:
    """N3D-VLM's units: from the least x, y and z, over the mean norm, about one mean of all three axes.

    Over the valid patches of each sample, in the axes of the geometry's frame. Means in float64: a unit is
    a thousandth, and whole units must not hang on the order of a sum.
    """
    low, _ = _bounds(geometry)
    sample, valid = geometry.sample_of_patch(), geometry.valid
    shifted = (geometry.xyz.float() - torch.where(torch.isfinite(low), low, 0.0)[sample]).double()
    shifted = torch.where(valid[:, None], shifted, 0.0)
    sums = torch.zeros(len(geometry.samples), 2, dtype=torch.float64, device=shifted.device)
    sums = sums.index_add(0, sample, torch.stack([shifted.norm(dim=-1), shifted.mean(-1)], -1))
    count = torch.zeros_like(sums[:, 0]).index_add(0, sample, valid.double()).clamp(min=1)
    norm, middle = sums.unbind(-1)
    unit = torch.where(norm > 0, norm / count, 1.0) / N3D_UNITS
    return ((shifted - (middle / count)[sample, None]) / unit[sample, None]).float()


def _boxes(geometry: BatchGeometry) -> tuple[Float32[Tensor, "b 3"], Float32[Tensor, "b"]]:
    """Middle and half the longest edge of the box around each sample's valid patches; 0 and 1 without."""
    low, high = _bounds(geometry)
    known = torch.isfinite(low)
    middle = torch.where(known, (low + high) / 2, 0.0)
    half_edge = torch.where(known, (high - low) / 2, 0.0).amax(-1)
    return middle, torch.where(half_edge > 0, half_edge, 1.0)


def _bounds(geometry: BatchGeometry) -> tuple[Float32[Tensor, "b 3"], Float32[Tensor, "b 3"]]:
    """Least and greatest coordinates of each sample's valid patches; infinite without."""
    sample, xyz = geometry.sample_of_patch(), geometry.xyz.float()
    index = sample[:, None].expand(-1, 3)
    bounds = []
    for bound, reduction in ((torch.inf, "amin"), (-torch.inf, "amax")):
        filled = torch.where(geometry.valid[:, None], xyz, bound)
        start = torch.full((len(geometry.samples), 3), bound, device=xyz.device)
        bounds.append(start.scatter_reduce(0, index, filled, reduction))
    return bounds[0], bounds[1]
