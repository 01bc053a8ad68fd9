"""What is read off the decoder's last hidden states: layout, position and orientation."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn


class Heads(nn.Module):
    """One layer for the layout, two each for position and orientation; computed in float32.

    Args:
        width: of the decoder.
        hidden: of the two-layer heads.
        bins: of the yaw.
    """

    def __init__(self, width: int, hidden: int, bins: int) -> None:
        super().__init__()
        self.layout = nn.Linear(width, 4)
        self.position = _two_layers(width, hidden, 4)
        self.orientation = _two_layers(width, hidden, bins)

    def of_layout(self, hidden: Float[Tensor, "n d"]) -> Float32[Tensor, "n 4"]:
        """x, y (m) and their log variances for visual tokens."""
        with torch.autocast(hidden.device.type, enabled=False):
            found: Tensor = self.layout(hidden.float())
        return found

    def of_situation(
        self, hidden: Float[Tensor, "b t d"], columns: Int64[Tensor, "b"]
    ) -> tuple[Float32[Tensor, "b 4"], Float32[Tensor, "b k"]]:
        """x, y (m) and their log variances at `<Pos>`, in `columns`; logits of yaw at `<Ori>` next to it."""
        rows = torch.arange(len(hidden), device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            position: Tensor = self.position(hidden[rows, columns].float())
            orientation: Tensor = self.orientation(hidden[rows, columns + 1].float())
        return position, orientation


def _two_layers(width: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))
