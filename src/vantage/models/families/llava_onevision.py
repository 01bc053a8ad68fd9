"""LLaVA-OneVision: LLaVA with tiles, and a row end token after each row of a tiled image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn
from transformers.image_processing_utils import select_best_resolution

from vantage.core.errors import ContractError
from vantage.models.families.llava import Llava
from vantage.models.families.order import Pictures
from vantage.models.patch_geometry import Grid


class LlavaOnevision(Llava):
    """`LlavaOnevisionForConditionalGeneration`.

    An image alone in its sample is shown whole and then in tiles; several in one sample are shown whole. At
    `post_projector` the embedding is summed on each picture's tokens, before the model stitches the tiles,
    cuts their padding and, beyond nine tiles, shrinks them.
    """

    name = "llava_onevision"

    def expected(self, model: Any, inputs: Mapping[str, Any]) -> Pictures:
        """The pictures of each image, without those that pad it to the image with the most."""
        pixels = inputs["pixel_values"]
        if pixels.dim() == 4:
            return self.of_pixels(model, pixels)
        shown = sum(
            min(len(own), count) for own, count in zip(pixels, self._counts(model, inputs), strict=True)
        )
        return self.of_pixels(model, pixels[0, :1].expand(shown, *pixels.shape[2:]))

    def image_tokens(
        self, model: Any, images: Sequence[Sequence[Grid]], inputs: Mapping[str, Any]
    ) -> list[int]:
        """Patches and row ends; a tiled image has its own rows after the whole one's patches."""
        sizes = _sizes(inputs)
        if len(sizes) != len(images):
            raise ContractError(
                "as many image sizes as images are needed", where="image_sizes", expected=len(images),
                found=len(sizes),
            )  # fmt: skip
        return [self._tokens(model, image, size) for image, size in zip(images, sizes, strict=True)]

    def token_members(self, model: Any, inputs: Mapping[str, Any]) -> Int64[Tensor, "tokens k"]:
        """The whole image's patches, then the stitched tiles' without padding; a row end is of no patch."""
        grids = iter(self.expected(model, inputs).grids)
        parts, first = [], 0
        for size, count in zip(_sizes(inputs), self._counts(model, inputs), strict=True):
            image = [next(grids) for _ in range(count)]
            numbers = self._packed(model, image, size)
            parts.append(torch.where(numbers < 0, -1, numbers + first))
            first += sum(rows * columns for rows, columns in image)
        widest = max(part.shape[1] for part in parts)
        return torch.cat([nn.functional.pad(part, (0, widest - part.shape[1]), value=-1) for part in parts])

    def process(self, processor: Any, samples: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Samples stay apart: an image alone in its sample is tiled."""
        processed = dict(processor(images=[list(images) for images in samples], return_tensors="pt"))
        processed["batch_num_images"] = torch.tensor([len(images) for images in samples])
        return processed

    def tiles(self, model: Any, processed: dict[str, Any]) -> list[list[Grid]]:
        """The whole image and then its tiles."""
        grids = iter(self.expected(model, processed).grids)
        return [[next(grids) for _ in range(count)] for count in self._counts(model, processed)]

    def _tokens(self, model: Any, image: Sequence[Grid], size: tuple[int, int]) -> int:
        side = image[0][0]
        if len(image) == 1:
            return side * image[0][1] + 1
        rows, columns = _tiling(model, size)
        rows, columns = _shrunk(model, side, _unpadded(size, rows * side, columns * side))
        return side * side + rows * (columns + 1)

    def _packed(self, model: Any, image: Sequence[Grid], size: tuple[int, int]) -> Int64[Tensor, "tokens k"]:
        """The patches, numbered through the image's pictures, of each of its tokens."""
        rows, columns = image[0]
        whole = torch.arange(rows * columns)[:, None]
        if len(image) == 1:
            return nn.functional.pad(whole, (0, 0, 0, 1), value=-1)
        tall, wide = _tiling(model, size)
        tiles = rows * columns + torch.arange(tall * wide * rows * columns)
        tiles = tiles.reshape(tall, wide, rows, columns).transpose(1, 2).reshape(tall * rows, wide * columns)
        kept = _unpadded(size, *tiles.shape)
        top, left = (tiles.shape[0] - kept[0]) // 2, (tiles.shape[1] - kept[1]) // 2
        cut = tiles[top : top + kept[0], left : left + kept[1]]
        members = _neighbours(cut, _shrunk(model, rows, kept))
        members = nn.functional.pad(members, (0, 0, 0, 1), value=-1).flatten(0, 1)
        whole = nn.functional.pad(whole, (0, members.shape[1] - 1), value=-1)
        return torch.cat([whole, members])

    def _counts(self, model: Any, inputs: Mapping[str, Any]) -> list[int]:
        """Pictures of each image."""
        sizes, together = _sizes(inputs), inputs.get("batch_num_images")
        alone = [True] * len(sizes)
        if together is not None:
            alone = [int(count) == 1 for count in together for _ in range(int(count))]
        return [
            math.prod(_tiling(model, size)) + 1 if tiled else 1
            for size, tiled in zip(sizes, alone, strict=True)
        ]


def _sizes(inputs: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Height and width of every image, pixels."""
    sizes = inputs["image_sizes"]
    rows = sizes.tolist() if isinstance(sizes, Tensor) else sizes
    return [(int(height), int(width)) for height, width in rows]


def _tiling(model: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of tiles."""
    best = select_best_resolution(size, model.config.image_grid_pinpoints)
    tile = model.config.vision_config.image_size
    return -(-best[0] // tile), -(-best[1] // tile)


def _unpadded(size: tuple[int, int], rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of stitched patches that are not padding."""
    height, width = size
    if width / height > columns / rows:
        padding = (rows - int(round(height * (columns / width), 7))) // 2
        return rows - 2 * padding, columns
    padding = (columns - int(round(width * (rows / height), 7))) // 2
    return rows, columns - 2 * padding


def _shrunk(model: Any, side: int, grid: Grid) -> Grid:
    """Rows and columns that the model keeps of a stitched grid, which it shrinks when they are too many."""
    most = int(model.config.vision_aspect_ratio.removeprefix("anyres_max_"))
    ratio = math.sqrt(grid[0] * grid[1] / (most * side**2))
    return (int(grid[0] // ratio), int(grid[1] // ratio)) if ratio > 1.1 else grid


def _neighbours(numbers: Int64[Tensor, "h w"], grid: Grid) -> Int64[Tensor, "r c k"]:
    """The patches that a bilinear resize to `grid` makes each cell of; -1: none."""
    if numbers.shape == grid:
        return numbers[..., None]
    rows, columns = (_pairs(size, kept) for size, kept in zip(numbers.shape, grid, strict=True))
    four = numbers[rows.clamp(min=0)[:, None, :, None], columns.clamp(min=0)[None, :, None, :]]
    missing = (rows < 0)[:, None, :, None] | (columns < 0)[None, :, None, :]
    return four.masked_fill(missing, -1).flatten(2)


def _pairs(size: int, kept: int) -> Int64[Tensor, "{kept} 2"]:
    """The two places of `size` between which each of `kept` lies; -1 for the second where it is on one."""
    at = ((torch.arange(kept, dtype=torch.float64) + 0.5) * size / kept - 0.5).clamp(min=0)
    first = at.floor().long()
    second = torch.where((at > first) & (first + 1 < size), first + 1, -1)
    return torch.stack([first, second], dim=1)


LLAVA_ONEVISION = LlavaOnevision()
