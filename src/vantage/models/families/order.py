"""Which patches a row of a tower, or a token of a projector, stands for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from vantage.models.patch_geometry import Grid


@dataclass(frozen=True)
class Pictures:
    """The pictures that a tower is shown, in its order.

    Attributes:
        grids: patches of each picture.
        canvas: patches that the tower computes for each: more than `grids` at the right and at the bottom
            where pictures are padded to a common size.
    """

    grids: tuple[Grid, ...]
    canvas: tuple[Grid, ...]

    @staticmethod
    def whole(grids: Sequence[Grid]) -> Pictures:
        """Pictures without padding."""
        return Pictures(tuple(grids), tuple(grids))


def patch_map(grid: Grid, canvas: Grid) -> Int64[Tensor, "h w"]:
    """Number of the patch (row * columns + column) at each place of the canvas; -1 in the padding."""
    numbers = torch.full(canvas, -1, dtype=torch.int64)
    numbers[: grid[0], : grid[1]] = torch.arange(grid[0] * grid[1]).reshape(grid)
    return numbers


def blocks(numbers: Int64[Tensor, "h w"], edge: int) -> Int64[Tensor, "t k"]:
    """Blocks of `edge` x `edge` places, in raster order, each with its own places in raster order.

    What reaches beyond the canvas is -1.
    """
    rows, columns = numbers.shape
    padded = torch.nn.functional.pad(numbers, (0, -columns % edge, 0, -rows % edge), value=-1)
    tall, wide = padded.shape[0] // edge, padded.shape[1] // edge
    return padded.reshape(tall, edge, wide, edge).transpose(1, 2).reshape(tall * wide, edge * edge)


def window_order(rows: int, columns: int, edge: int) -> Int64[Tensor, "t"]:
    """The cells of a grid, one window of `edge` x `edge` after another, all in raster order."""
    order = blocks(torch.arange(rows * columns).reshape(rows, columns), edge).flatten()
    return order[order >= 0]


def over_pictures(
    pictures: Pictures, local: Callable[[Grid, Grid], Int64[Tensor, "r k"]]
) -> Int64[Tensor, "rows k"]:
    """`local(grid, canvas)` of every picture, numbered through the batch."""
    known: dict[tuple[Grid, Grid], Tensor] = {}
    parts, first = [], 0
    for grid, canvas in zip(pictures.grids, pictures.canvas, strict=True):
        if (grid, canvas) not in known:
            known[grid, canvas] = local(grid, canvas)
        numbers = known[grid, canvas]
        parts.append(torch.where(numbers < 0, -1, numbers + first))
        first += grid[0] * grid[1]
    return torch.cat(parts)
