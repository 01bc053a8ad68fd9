"""Idefics3 and SmolVLM: a SigLIP tower for padded pictures, pixel shuffle, a linear projector.

Both drop pictures whose pixels are all zero: they pad a batch to the sample with the most pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vantage.core.errors import ContractError
from vantage.models.families.base import Family, patch_edge, require_square
from vantage.models.families.order import Pictures
from vantage.models.patch_geometry import Grid

_AROUND = "<fake_token_around_image>"


class Idefics3(Family):
    """`Idefics3ForConditionalGeneration`: an image is one picture, or tiles and then the whole."""

    name = "idefics3"
    tower_name = "vision_model"
    projector_name = "connector"
    decoder_name = "text_model"

    def edge(self, model: Any) -> int:
        """`scale_factor` of the pixel shuffle."""
        return int(model.config.scale_factor)

    def shown(self, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Pictures:
        """From the patch mask that the model gives its tower."""
        named = dict(zip(("pixel_values", "patch_attention_mask"), args, strict=False)) | dict(kwargs)
        mask = named.get("patch_attention_mask")
        if mask is None:
            return self._of_mask(_ones(model, named["pixel_values"]))
        return self._of_mask(mask)

    def expected(self, model: Any, inputs: Mapping[str, Any]) -> Pictures:
        """Without the pictures that are all zero, and within the pixel mask."""
        pixels = inputs["pixel_values"].flatten(0, 1)
        # As the model looks at them: in its own precision, in which a small value may be zero.
        real = (pixels.to(model.dtype) != 0.0).flatten(1).any(1)
        mask = inputs.get("pixel_attention_mask")
        if mask is None:
            return self._of_mask(_ones(model, pixels[real]))
        patch = patch_edge(model)
        cells = mask.flatten(0, 1)[real].unfold(1, patch, patch).unfold(2, patch, patch)
        return self._of_mask(cells.sum((-1, -2)) > 0)

    def image_tokens(
        self, model: Any, images: Sequence[Sequence[Grid]], inputs: Mapping[str, Any]
    ) -> list[int]:
        """The same for every picture, its padding included."""
        rows, columns = (side // patch_edge(model) for side in inputs["pixel_values"].shape[-2:])
        return [len(image) * (rows * columns // self.edge(model) ** 2) for image in images]

    def process(self, processor: Any, samples: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Samples stay apart: the processor pads them to the one with the most pictures."""
        nested = [list(images) for images in samples]
        return dict(processor(images=nested, return_tensors="pt", return_row_col_info=True))

    def tiles(self, model: Any, processed: dict[str, Any]) -> list[list[Grid]]:
        """Rows x columns of tiles and then the whole image, or the whole image alone."""
        rows, columns = processed["rows"], processed["cols"]
        grids = iter(self.expected(model, processed).grids)
        return [
            [next(grids) for _ in range(r * c + 1)]
            for own_rows, own_columns in zip(rows, columns, strict=True)
            for r, c in zip(own_rows, own_columns, strict=True)
        ]

    def image_text(self, image: Sequence[Grid], tokens: int, layout: Grid) -> str:
        """Every tile under its row and column, the whole image under a name of its own."""
        each = self.placeholder * (tokens // len(image))
        whole = f"{_AROUND}<global-img>{each}{_AROUND}"
        rows, columns = layout
        if not rows:
            return whole
        lines = (
            "".join(f"{_AROUND}<row_{row + 1}_col_{column + 1}>{each}" for column in range(columns)) + "\n"
            for row in range(rows)
        )
        return "".join(lines) + "\n" + whole

    def _of_mask(self, mask: Tensor) -> Pictures:
        """From patches that are image (True) or padding, (pictures, rows, columns)."""
        rows, columns = mask[:, :, 0].sum(1).tolist(), mask[:, 0, :].sum(1).tolist()
        grids = tuple((int(r), int(c)) for r, c in zip(rows, columns, strict=True))
        if mask.flatten(1).sum(1).tolist() != [r * c for r, c in grids]:
            raise ContractError(
                "the pixel mask is no rectangle from the left top corner", where="pixel_attention_mask"
            )
        pictures = Pictures(grids, ((mask.shape[1], mask.shape[2]),) * len(grids))
        require_square(pictures, "the pixel shuffle")
        return pictures


def _ones(model: Any, pixels: Tensor) -> Tensor:
    patch = patch_edge(model)
    return torch.ones(len(pixels), pixels.shape[-2] // patch, pixels.shape[-1] // patch, dtype=torch.bool)


class SmolVLM(Idefics3):
    """`SmolVLMForConditionalGeneration`: Idefics3 in small; of a batch without any picture it keeps one."""

    name = "smolvlm"


IDEFICS3, SMOLVLM = Idefics3(), SmolVLM()
