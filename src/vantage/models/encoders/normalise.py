"""Coordinates in the units an encoder is trained with."""

from __future__ import annotations

import torch
from jaxtyping import Float32
from torch import Tensor

from vantage.models.encoders.config import VOXEL_ORIGIN_M, EncoderConfig
from vantage.models.patch_geometry import BatchGeometry


def normalised(geometry: BatchGeometry, config: EncoderConfig) -> BatchGeometry:
    """The geometry with `config.normalisation` applied, sample by sample, in float32.

    Everything here is linear, so that the mean of a group of patches can be taken afterwards; `voxel` gives
    real numbers of voxels, which `rounded` makes whole once groups are averaged.
    """
    xyz = geometry.xyz.float()
    if config.normalisation == "metres":
        return geometry
    if config.normalisation == "voxel":
        origin = torch.tensor(VOXEL_ORIGIN_M, device=xyz.device)
        return geometry.with_xyz((xyz - origin) / config.voxel_m)
    middle, half_edge = _boxes(geometry)
    sample = geometry.sample_of_patch()
    centred = xyz - middle[sample]
    if config.normalisation == "box_unit":
        centred = centred / half_edge[sample, None]
    return geometry.with_xyz(centred)


def rounded(xyz: Float32[Tensor, "*n 3"], config: EncoderConfig) -> Float32[Tensor, "*n 3"]:
    """Whole voxels, cut to the grid, under `voxel`; the same coordinates otherwise."""
    if config.normalisation != "voxel":
        return xyz
    last = torch.tensor(config.cells(), dtype=torch.float32, device=xyz.device) - 1.0
    return torch.minimum(xyz.round().clamp(min=0.0), last)


def _boxes(geometry: BatchGeometry) -> tuple[Float32[Tensor, "b 3"], Float32[Tensor, "b"]]:
    """Middle and half the longest edge of the box around each sample's valid patches; 0 and 1 without."""
    sample, xyz = geometry.sample_of_patch(), geometry.xyz.float()
    index = sample[:, None].expand(-1, 3)
    bounds = []
    for bound, reduction in ((torch.inf, "amin"), (-torch.inf, "amax")):
        filled = torch.where(geometry.valid[:, None], xyz, bound)
        start = torch.full((len(geometry.samples), 3), bound, device=xyz.device)
        bounds.append(start.scatter_reduce(0, index, filled, reduction))
    low, high = bounds
    known = torch.isfinite(low)
    middle = torch.where(known, (low + high) / 2, 0.0)
    half_edge = torch.where(known, (high - low) / 2, 0.0).amax(-1)
    return middle, torch.where(half_edge > 0, half_edge, 1.0)
