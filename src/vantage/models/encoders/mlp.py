"""A small network on the bare coordinates."""

from __future__ import annotations

from jaxtyping import Float32
from torch import Tensor, nn

from vantage.models.encoders.base import PositionEncoder


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer with weight and bias zero: a network that ends in it starts as nothing and still learns."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class MlpEncoder(PositionEncoder):
    """Linear, layer norm, GELU, linear; the last layer starts at zero."""

    def __init__(self, width: int, hidden: int = 512) -> None:
        super().__init__(width)
        self.mlp = nn.Sequential(
            nn.Linear(3, hidden), nn.LayerNorm(hidden), nn.GELU(), zeroed(nn.Linear(hidden, width))
        )

    def embed(self, xyz: Float32[Tensor, "*n 3"]) -> Float32[Tensor, "*n c"]:
        """The network's output."""
        features: Tensor = self.mlp(xyz)
        return features
