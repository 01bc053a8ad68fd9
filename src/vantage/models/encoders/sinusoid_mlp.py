"""A small network on sines and cosines of the coordinates: what the pocket model is trained with."""

from __future__ import annotations

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from vantage.models.encoders.base import PositionEncoder
from vantage.models.encoders.mlp import zeroed

PERIODS_M = (16.0, 8.0, 4.0, 2.0, 1.0)
REACH_M = 3.0


class SinusoidMlpEncoder(PositionEncoder):
    """Lengths / `reach` and their sines and cosines at `periods`, and plain numbers, go through two hidden
    layers.

    Args:
        width: of the site.
        hidden: of both hidden layers.
        periods: coordinate units; the defaults are metres.
        reach: coordinate units that become 1.
        numbers: of a patch.
        lengths: which of them are lengths; the others (axes, shares of an image) are taken as they are.
    """

    def __init__(
        self,
        width: int,
        hidden: int = 128,
        periods: tuple[float, ...] = PERIODS_M,
        reach: float = REACH_M,
        numbers: int = 3,
        lengths: tuple[int, ...] = (0, 1, 2),
    ) -> None:
        super().__init__(width, numbers=numbers)
        self.reach = reach
        self.lengths = list(lengths)
        self.plain = [k for k in range(numbers) if k not in lengths]
        self.frequencies: Tensor
        self.register_buffer(
            "frequencies", torch.tensor([2.0 * torch.pi / period for period in periods]), persistent=False
        )
        self.mlp = nn.Sequential(
            nn.Linear(numbers + len(lengths) * 2 * len(periods), hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            zeroed(nn.Linear(hidden, width)),
        )

    def embed(self, values: Float32[Tensor, "*n {self.numbers}"]) -> Float32[Tensor, "*n c"]:
        """The network's output."""
        lengths, plain = values[..., self.lengths], values[..., self.plain]
        angles = (lengths[..., None] * self.frequencies).flatten(-2)
        waves = [lengths / self.reach, angles.sin(), angles.cos()]
        features: Tensor = self.mlp(torch.cat([*waves, plain] if self.plain else waves, dim=-1))
        return features
