"""Qwen2.5-VL and Qwen3-VL: pictures of any size in one sequence, in merge blocks.

Rows of `pixel_values` run block after block of m x m patches, those of a block in raster order. A still image
has one row per patch; a video would put two poses into one row, so it has to be given as separate images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from vantage.core.errors import ContractError
from vantage.models.families.base import Family, Point, Site
from vantage.models.families.locate import locate
from vantage.models.families.order import Pictures, blocks, over_pictures, patch_map, window_order
from vantage.models.patch_geometry import Grid


class Qwen3VL(Family):
    """`Qwen3VLForConditionalGeneration`.

    An embedding before block 0 reaches the decoder through the merger and through the deepstack mergers; one
    at a later site only through the merger, whose input is the last block's output.
    """

    name = "qwen3_vl"
    order = "merge_blocks"
    tower_name = "visual"
    projector_name = "visual.merger"
    placeholder = "<|image_pad|>"

    def point(self, model: Any, site: Site) -> Point:
        """Rows of all pictures, one after another."""
        if site == "pre_vit":
            return Point(locate(self.tower(model), "patch_embed"))
        return super().point(model, site)

    def projectors(self, model: nn.Module) -> dict[str, nn.Module]:
        """The merger and the deepstack mergers: pretrained ones would see shifted inputs otherwise."""
        deepstack = locate(model, "visual.deepstack_merger_list")
        return {
            "projector": self.projector(model),
            **{f"deepstack.{number}": merger for number, merger in deepstack.named_children()},
        }

    def edge(self, model: Any) -> int:
        """`spatial_merge_size`."""
        return int(model.config.vision_config.spatial_merge_size)

    def shown(self, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Pictures:
        """From the grids that the tower is given."""
        return _pictures(args[1] if len(args) > 1 else kwargs["grid_thw"], self.edge(model))

    def expected(self, model: Any, inputs: Mapping[str, Any]) -> Pictures:
        """From `image_grid_thw`."""
        return _pictures(inputs["image_grid_thw"], self.edge(model))

    def members(self, model: Any, site: Site, pictures: Pictures) -> Int64[Tensor, "rows k"] | None:
        """Block after block; at the tower's sites patch after patch within a block."""
        edge = self.edge(model)

        def local(grid: Grid, canvas: Grid) -> Int64[Tensor, "r k"]:
            tokens = blocks(patch_map(grid, canvas), edge)
            if site != "pre_vit":
                tokens = tokens[self.tower_order(model, grid)]
            return tokens if site == "post_projector" else tokens.reshape(-1, 1)

        return over_pictures(pictures, local)

    def token_members(self, model: Any, inputs: Mapping[str, Any]) -> Int64[Tensor, "tokens k"]:
        """Blocks in raster order: the tower undoes its windows after the merger."""
        edge = self.edge(model)
        return over_pictures(
            self.expected(model, inputs), lambda grid, canvas: blocks(patch_map(grid, canvas), edge)
        )

    def prompt(self, text: str, tokenizer: Any) -> str:
        """Every image between its marks: without them two neighbours would be placed as one image."""
        marked = f"<|vision_start|>{self.placeholder}<|vision_end|>"
        return text.replace(marked, self.placeholder).replace(self.placeholder, marked)

    def positions(
        self, model: Any, ids: Tensor, mask: Tensor, inputs: Mapping[str, Any]
    ) -> Int64[Tensor, "a b t"] | None:
        """In time, down and across; the model's own."""
        kinds = self.extra_inputs(ids, int(model.config.image_token_id))["mm_token_type_ids"]
        found: Tensor = model.model.get_rope_index(
            ids, mm_token_type_ids=kinds, image_grid_thw=inputs["image_grid_thw"], attention_mask=mask
        )[0]
        return found

    def extra_inputs(self, ids: Tensor, image_id: int) -> dict[str, Tensor]:
        """Which tokens are images: the model places them in three dimensions."""
        return {"mm_token_type_ids": (ids == image_id).to(ids.dtype)}

    def tower_order(self, model: Any, grid: Grid) -> Int64[Tensor, "t"]:
        """The order of a picture's merge blocks inside the tower."""
        edge = self.edge(model)
        return torch.arange(grid[0] // edge * (grid[1] // edge))


class Qwen25VL(Qwen3VL):
    """`Qwen2_5_VLForConditionalGeneration`: merge blocks run window by window from block 0 to the merger."""

    name = "qwen2_5_vl"

    def projectors(self, model: nn.Module) -> dict[str, nn.Module]:
        """The merger."""
        return {"projector": self.projector(model)}

    def width(self, model: Any, site: Site) -> int:
        """The merger's output width stands in the tower's configuration."""
        vision = model.config.vision_config
        return int(vision.out_hidden_size if site == "post_projector" else vision.hidden_size)

    def tower_order(self, model: Any, grid: Grid) -> Int64[Tensor, "t"]:
        """Windows of `window_size` pixels, those at the right and at the bottom cut."""
        vision, edge = model.config.vision_config, self.edge(model)
        window = vision.window_size // edge // vision.patch_size
        return window_order(grid[0] // edge, grid[1] // edge, window)


def _pictures(grid_thw: Tensor, edge: int) -> Pictures:
    """One picture for each (frames, rows, columns)."""
    grids = [(int(frames), int(rows), int(columns)) for frames, rows, columns in grid_thw.tolist()]
    if bad := [grid for grid in grids if grid[0] != 1 or grid[1] % edge or grid[2] % edge]:
        raise ContractError(
            "coordinates need still images in whole merge blocks", where="image_grid_thw",
            expected=f"1 frame, rows and columns divisible by {edge}", found=bad[0],
            hint="give every frame of a video as an image",
        )  # fmt: skip
    return Pictures.whole([(rows, columns) for _, rows, columns in grids])


QWEN2_5_VL, QWEN3_VL = Qwen25VL(), Qwen3VL()
