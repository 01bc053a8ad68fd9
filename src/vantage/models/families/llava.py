"""LLaVA: a SigLIP or CLIP tower, a two-layer projector, one picture per image. The pocket model is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor, nn

from vantage.models.families.base import Family, Point, Site, class_tokens
from vantage.models.patch_geometry import Grid


class Llava(Family):
    """`LlavaForConditionalGeneration`; a CLIP tower has a class token, which the model usually drops."""

    name = "llava"

    def point(self, model: Any, site: Site) -> Point:
        """As for every raster tower, past the class token wherever there is one."""
        plain = super().point(model, site)
        kept = class_tokens(model) if site == "pre_vit" else self._kept(model)
        return Point(plain.module, plain.before, kept)

    def width(self, model: Any, site: Site) -> int:
        """The projector sees the features of several layers side by side if the model says so."""
        layers = model.config.vision_feature_layer
        several = site == "post_vit" and not isinstance(layers, int)
        return super().width(model, site) * (len(layers) if several else 1)

    def hidden_states(self, model: Any) -> tuple[int, ...]:
        """`vision_feature_layer`."""
        layers = model.config.vision_feature_layer
        return (layers,) if isinstance(layers, int) else tuple(layers)

    def token_members(self, model: Any, inputs: Mapping[str, Any]) -> Int64[Tensor, "tokens k"]:
        """A class token that is kept stands before each picture's patches."""
        members, kept = super().token_members(model, inputs), self._kept(model)
        if not kept:
            return members
        sizes = [rows * columns for rows, columns in self.expected(model, inputs).grids]
        pictures = torch.split(members, sizes)
        return torch.cat([nn.functional.pad(own, (0, 0, kept, 0), value=-1) for own in pictures])

    def image_tokens(
        self, model: Any, images: Sequence[Sequence[Grid]], inputs: Mapping[str, Any]
    ) -> list[int]:
        """A token for each patch, and for a class token that is kept."""
        kept = self._kept(model)
        return [
            tokens + kept * len(image)
            for tokens, image in zip(super().image_tokens(model, images, inputs), images, strict=True)
        ]

    def _kept(self, model: Any) -> int:
        """Class tokens that reach the projector."""
        return 0 if model.config.vision_feature_select_strategy == "default" else class_tokens(model)


LLAVA = Llava()
