"""What all 3D position encoders share: float32 inside, and a vector for patches without a point."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from vantage.models.precision import InFloat32


class PositionEncoder(InFloat32, ABC):
    """Coordinates, and for some kinds a pose beside them -> vectors of `width`.

    A patch without a point (`valid` False) gets `null`: learned and zero at the start, or zero for ever in an
    encoder without parameters. Parameters stay in float32 whatever the model around them is cast to: in
    bfloat16 a voxel index beyond 256 is no longer exact and a sinusoid is off by more than its amplitude.

    Subclasses give `embed`; it sees finite coordinates only and runs outside of autocast. `numbers` is how
    many they are for a patch.
    """

    null: Tensor

    def __init__(self, width: int, learned_null: bool = True, numbers: int = 3) -> None:
        super().__init__()
        self.width = width
        self.numbers = numbers
        if learned_null:
            self.null = nn.Parameter(torch.zeros(width))
        else:
            self.register_buffer("null", torch.zeros(width), persistent=False)

    @abstractmethod
    def embed(self, values: Float32[Tensor, "*n {self.numbers}"]) -> Float32[Tensor, "*n c"]:
        """Vectors of the given points."""

    def forward(
        self, values: Float[Tensor, "*n {self.numbers}"], valid: Bool[Tensor, "*n"]
    ) -> Float32[Tensor, "*n c"]:
        """Embed `values` (normalised as the encoder's configuration says); `null` where `valid` is False."""
        with torch.autocast(values.device.type, enabled=False):
            # Holes may hold NaN; NaN times zero is NaN, in the gradient too.
            values = torch.where(valid[..., None], values.float(), 0.0)
            return torch.where(valid[..., None], self.embed(values), self.null)
