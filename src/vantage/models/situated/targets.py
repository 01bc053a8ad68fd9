"""Where each of the decoder's visual tokens lies: the mean valid point of the patches it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from vantage.core.errors import ContractError
from vantage.models.binding import check_placeholders
from vantage.models.families import Family
from vantage.models.injector import group_means
from vantage.models.patch_geometry import BatchGeometry


def visual_points(
    family: Family, model: Any, geometry: BatchGeometry, inputs: Mapping[str, Any]
) -> tuple[Float32[Tensor, "tokens 3"], Bool[Tensor, "tokens"]]:
    """The point (m, in the geometry's frame) of each placeholder of a batch, and whether it has one.

    Row ends, class tokens, padding and tokens without a valid patch have none.

    Raises:
        ContractError: the pictures or a sample's placeholders are not those of the geometry.
    """
    expected = family.expected(model, inputs).grids
    if expected != geometry.grids:
        raise ContractError(
            "coordinates do not fit the views", where=f"layout, {family.name}",
            expected=f"{len(expected)} pictures: {expected[:8]}",
            found=f"{len(geometry.grids)} pictures: {geometry.grids[:8]}",
            hint="give one grid of coordinates for every picture that the tower sees, in its order",
        )  # fmt: skip
    check_placeholders(family, model, geometry, inputs["input_ids"], inputs)
    members = family.token_members(model, inputs).to(geometry.xyz.device)
    return group_means(geometry.xyz.float(), geometry.valid, members)


def mean_of_samples(
    values: Float32[Tensor, "n"], known: Bool[Tensor, "n"], sample: Int64[Tensor, "n"], samples: int
) -> Float32[Tensor, ""]:
    """The mean over samples of the mean over each sample's known values.

    Samples without any do not count; without any sample it is 0, with a gradient of 0.
    """
    own = (sample == torch.arange(samples, device=values.device)[:, None]) & known
    means = torch.where(own, values, 0.0).sum(1) / own.sum(1).clamp(min=1)
    return means.sum() / own.any(1).sum().clamp(min=1)
