"""A learned vector for every voxel index of each axis."""

from __future__ import annotations

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from vantage.models.encoders.base import PositionEncoder


class VoxelIndexEncoder(PositionEncoder):
    """The sum of three table rows, one for each axis; the tables start at zero.

    Args:
        width: of the site.
        cells: voxels along x, y and z; coordinates are voxel indices within them.
    """

    def __init__(self, width: int, cells: tuple[int, int, int]) -> None:
        super().__init__(width)
        tables = [nn.Embedding(count, width) for count in cells]
        for table in tables:
            nn.init.zeros_(table.weight)
        self.tables = nn.ModuleList(tables)

    def embed(self, xyz: Float32[Tensor, "*n 3"]) -> Float32[Tensor, "*n c"]:
        """The sum of the rows that the indices name."""
        index = xyz.long()
        rows = [table(index[..., axis]) for axis, table in enumerate(self.tables)]
        return torch.stack(rows).sum(0)
