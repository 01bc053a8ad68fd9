"""LLaVA-OneVision: LLaVA with tiles, and a row end token after each row of a tiled image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
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
        rows, columns = _unpadded(size, rows * side, columns * side)
        most = int(model.config.vision_aspect_ratio.removeprefix("anyres_max_"))
        ratio = math.sqrt(rows * columns / (most * side**2))
        if ratio > 1.1:
            rows, columns = int(rows // ratio), int(columns // ratio)
        return side * side + rows * (columns + 1)

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


LLAVA_ONEVISION = LlavaOnevision()
