"""Sinusoids of the coordinates, without parameters except, if wanted, one scale."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from vantage.core.errors import ParameterError
from vantage.models.encoders.base import PositionEncoder

Form = Literal["concatenated", "summed"]


class SinusoidEncoder(PositionEncoder):
    """Interleaved sines and cosines at frequencies that fall geometrically, times a scale.

    `concatenated` (published code of Video-3D-LLM and N3D-VLM): each axis has a third of the width, as (sin,
    cos) pairs at wavelengths from 2 pi `unit` to 2 pi `unit` * `base`; a rest of the width stays zero.
    `summed` (published formula of N3D-VLM): every axis has the whole width and the three are added. It cannot
    tell (1, 2, 3) from (3, 1, 2), so `concatenated` is the one to use; this one is there to compare with.

    Args:
        width: of the site.
        form: how the axes share the width.
        unit: coordinate units for one radian of the fastest frequency.
        base: the slowest frequency is `base` times slower.
        scale: a fixed factor (no parameters then, and a patch without a point gets zero), or None for a
            learned one that starts at zero.
    """

    def __init__(
        self,
        width: int,
        form: Form = "concatenated",
        unit: float = 0.1,
        base: float = 10000.0,
        scale: float | None = None,
    ) -> None:
        super().__init__(width, learned_null=scale is None)
        if width < 6:
            raise ParameterError("a sinusoid needs a width of 6", where="width", expected="6", found=width)
        self.form = form
        pairs = width // 6 if form == "concatenated" else width // 2
        frequencies = base ** -(torch.arange(pairs, dtype=torch.float64) / pairs) / unit
        self.frequencies: Tensor
        self.register_buffer("frequencies", frequencies.float(), persistent=False)
        self.scale: Tensor | float
        if scale is None:
            self.scale = nn.Parameter(torch.zeros(()))
        else:
            self.scale = float(scale)

    def embed(self, xyz: Float32[Tensor, "*n 3"]) -> Float32[Tensor, "*n c"]:
        """`scale` times the sinusoids."""
        angles = xyz[..., None] * self.frequencies
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)
        waves = waves.flatten(-2) if self.form == "concatenated" else waves.sum(-2)
        return nn.functional.pad(waves, (0, self.width - waves.shape[-1])) * self.scale
