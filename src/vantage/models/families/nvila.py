"""NVILA-Lite out of transformers' parts: a SigLIP tower, a downsampling projector, a Qwen2 decoder.

transformers has no NVILA. It is LLaVA with another projector, so that is how it is built here; the published
weights come in under their own names through `vantage.models.loading`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from transformers import LlavaConfig, LlavaForConditionalGeneration

from vantage.core.errors import ParameterError
from vantage.models.drawing import drawn_from
from vantage.models.families.base import patch_edge, require_square
from vantage.models.families.llava import Llava
from vantage.models.families.nvila_images import NvilaImageProcessor
from vantage.models.families.order import Pictures
from vantage.models.patch_geometry import Grid

EDGES = {"mlp_downsample": 2, "mlp_downsample_2x2_fix": 2, "mlp_downsample_3x3_fix": 3}
"""Published projectors, and how many patches along an edge they make one token of."""


class NvilaConfig(LlavaConfig):  # type: ignore[misc]
    """LLaVA's configuration, the name of a projector in `EDGES`, and how an image that is alone is shown.

    `image_aspect_ratio` is `dynamic` (in `min_tiles` to `max_tiles` tiles) or `resize`.
    """

    model_type: ClassVar[str] = "nvila_lite"
    mm_projector_type: str = "mlp_downsample_3x3_fix"
    image_aspect_ratio: str = "resize"
    min_tiles: int = 1
    max_tiles: int = 12


class Downsample(nn.Module):
    """`edge` x `edge` patches side by side in the channels, row by row; a rest is filled up with zeros."""

    def __init__(self, edge: int) -> None:
        super().__init__()
        self.edge = edge

    def forward(self, features: Float[Tensor, "n p c"]) -> Float[Tensor, "n t kc"]:
        """Raster order in and out; a picture is a square."""
        count, patches, width = features.shape
        side, edge = math.isqrt(patches), self.edge
        grid = nn.functional.pad(
            features.reshape(count, side, side, width), (0, 0, 0, -side % edge, 0, -side % edge)
        )
        cells = grid.shape[1] // edge
        grid = grid.reshape(count, cells, edge, cells, edge, width).transpose(2, 3)
        return grid.reshape(count, cells * cells, edge * edge * width)


class DownsampleProjector(nn.Module):
    """The published projectors, their layers numbered as published."""

    def __init__(self, kind: str, vision: int, text: int) -> None:
        super().__init__()
        if kind not in EDGES:
            raise ParameterError(
                "this projector of NVILA is not supported", where="mm_projector_type",
                expected=f"one of {', '.join(EDGES)}", found=kind,
                hint="take an NVILA-Lite model: those that look at several scales at once are not built here",
            )  # fmt: skip
        edge = EDGES[kind]
        wide = vision * edge**2
        narrow = [nn.LayerNorm(wide), nn.Linear(wide, text)]
        if edge == 3:
            three = vision * 3
            narrow = [
                nn.LayerNorm(wide), nn.Linear(wide, three), nn.GELU(),
                nn.LayerNorm(three), nn.Linear(three, text),
            ]  # fmt: skip
        self.layers = nn.Sequential(Downsample(edge), *narrow, nn.GELU(), nn.Linear(text, text))

    def forward(self, features: Float[Tensor, "n p c"]) -> Float[Tensor, "n t d"]:
        """Tokens of the decoder."""
        tokens: Tensor = self.layers(features)
        return tokens


class NvilaForConditionalGeneration(LlavaForConditionalGeneration):  # type: ignore[misc]
    """LLaVA with a downsampling projector."""

    config_class = NvilaConfig

    def __init__(self, config: NvilaConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = DownsampleProjector(
            config.mm_projector_type, config.vision_config.hidden_size, config.text_config.hidden_size
        )


class Nvila(Llava):
    """`NvilaForConditionalGeneration`: an image is one picture, or tiles and then the whole."""

    name = "nvila_lite"

    def edge(self, model: Any) -> int:
        """2 or 3; with 3, a 32 x 32 grid has a token of one patch in its right bottom corner."""
        return EDGES[model.config.mm_projector_type]

    def image_text(self, image: Sequence[Grid], tokens: int, layout: Grid) -> str:
        """A line end after every picture."""
        return (self.placeholder * (tokens // len(image)) + "\n") * len(image)

    def image_processor(self, model: Any, inner: Any) -> Any:
        """The tower's, behind the tiling that the model's configuration asks for."""
        config = model.config
        if config.image_aspect_ratio != "dynamic":
            return inner
        return NvilaImageProcessor(inner, patch_edge(model), config.min_tiles, config.max_tiles)

    def process(self, processor: Any, samples: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Samples stay apart where an image alone is tiled."""
        if not isinstance(processor, NvilaImageProcessor):
            return super().process(processor, samples)
        return processor(samples)

    def tiles(self, model: Any, processed: dict[str, Any]) -> list[list[Grid]]:
        """As many pictures as the tiling made of each image."""
        counts = processed.pop("num_tiles", None)
        grids = iter(self.expected(model, processed).grids)
        return [[next(grids) for _ in range(n)] for n in counts] if counts else [[grid] for grid in grids]

    def shown(self, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Pictures:
        """Pictures must be square: the projector takes the root of the number of patches."""
        pictures = super().shown(model, args, kwargs)
        require_square(pictures, "NVILA's projector")
        return pictures


NVILA = Nvila()


def fresh_nvila(config: NvilaConfig, seed: int) -> NvilaForConditionalGeneration:
    """A random model, drawn from `seed` without touching torch's global state."""
    with drawn_from(seed):
        return NvilaForConditionalGeneration(config)
