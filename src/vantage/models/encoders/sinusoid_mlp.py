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
    """xyz / `reach` and its sines and cosines at `periods` go through two hidden layers.

    Args:
        width: of the site.
        hidden: of both hidden layers.
        periods: coordinate units; the defaults are metres.
        reach: coordinate units that become 1.
    """

    def __init__(
        self,
        width: int,
        hidden: int = 128,
        periods: tuple[float, ...] = PERIODS_M,
        reach: float = REACH_M,
    ) -> None:
        super().__init__(width)
        self.reach = reach
        self.frequencies: Tensor
        self.register_buffer(
            "frequencies", torch.tensor([2.0 * torch.pi / period for period in periods]), persistent=False
        )
        self.mlp = nn.Sequential(
            nn.Linear(3 + 3 * 2 * len(periods), hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            zeroed(nn.Linear(hidden, width)),
        )

    def embed(self, xyz: Float32[Tensor, "*n 3"]) -> Float32[Tensor, "*n c"]:
        """The network's output."""
        angles = (xyz[..., None] * self.frequencies).flatten(-2)
        features: Tensor = self.mlp(torch.cat([xyz / self.reach, angles.sin(), angles.cos()], dim=-1))
        return features
