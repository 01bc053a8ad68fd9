"""InternVL: a tower with a class token; 2x2 patches lie side by side in the projector's channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Int64
from torch import Tensor

from vantage.core.errors import ParameterError
from vantage.models.families.base import Family, Point, Site, class_tokens, require_square
from vantage.models.families.order import Pictures, blocks, over_pictures, patch_map
from vantage.models.patch_geometry import Grid


class InternVL(Family):
    """`InternVLForConditionalGeneration`: an image is one picture, or tiles and then a thumbnail."""

    name = "internvl"
    order = "raster_with_class"
    placeholder = "<IMG_CONTEXT>"

    def point(self, model: Any, site: Site) -> Point:
        """`post_vit` is met at the projector's input, where the model has already packed the patches."""
        if model.config.vision_feature_select_strategy != "default":
            raise ParameterError(
                "InternVL is supported without its class token in the projector",
                where="vision_feature_select_strategy", expected="default",
                found=model.config.vision_feature_select_strategy,
            )  # fmt: skip
        plain = super().point(model, site)
        if site == "pre_vit":
            return Point(plain.module, lead=class_tokens(model))
        return Point(plain.module, plain.before, pack=self.edge(model) ** 2 if site == "post_vit" else 1)

    def hidden_states(self, model: Any) -> tuple[int, ...]:
        """`vision_feature_layer`; the last one is the tower's own."""
        layer = model.config.vision_feature_layer
        return () if layer == -1 else (layer,)

    def edge(self, model: Any) -> int:
        """1 / `downsample_ratio`."""
        return int(round(1 / model.config.downsample_ratio))  # noqa: RUF046

    def shown(self, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Pictures:
        """Pictures must be square: the model takes the root of the number of patches."""
        pictures = super().shown(model, args, kwargs)
        require_square(pictures, "InternVL's pixel shuffle")
        return pictures

    def members(self, model: Any, site: Site, pictures: Pictures) -> Int64[Tensor, "rows k"] | None:
        """Packed rows are written out patch by patch."""
        if site != "post_vit":
            return super().members(model, site, pictures)
        edge = self.edge(model)
        return over_pictures(
            pictures, lambda grid, canvas: blocks(patch_map(grid, canvas), edge).reshape(-1, 1)
        )

    def tiles(self, model: Any, processed: dict[str, Any]) -> list[list[Grid]]:
        """As many pictures as the processor counts."""
        counts = [int(count) for count in processed.pop("num_patches")]
        grid = self.expected(model, processed).grids[0]
        return [[grid] * count for count in counts]

    def image_text(self, image: Sequence[Grid], tokens: int, layout: Grid) -> str:
        """Between marks of beginning and end."""
        return f"<img>{self.placeholder * tokens}</img>"


INTERNVL = InternVL()
