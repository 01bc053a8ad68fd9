"""A yaw as a distribution over bins of the circle: target, divergence, and the way back to an angle."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from jaxtyping import Bool, Float, Float32, Float64
from torch import Tensor

APART: Final = math.pi / 3
"""Between directions told beside one another, radians: each stands for the 30 degrees on either side."""


class Yaw(NamedTuple):
    """Directions read from bins.

    Attributes:
        yaw: radians, [-pi, pi].
        resultant: length of the mean direction: 1, all in one direction; 0, none preferred.
        sigma: circular deviation, radians: sqrt(-2 log resultant), the deviation of a wrapped Gaussian.
    """

    yaw: Float64[Tensor, "n"]
    resultant: Float64[Tensor, "n"]
    sigma: Float64[Tensor, "n"]


def bin_centres(bins: int) -> Float64[Tensor, "{bins}"]:
    """Centres of equal bins over [-pi, pi), radians."""
    return -math.pi + (torch.arange(bins, dtype=torch.float64) + 0.5) * (2 * math.pi / bins)


def _wrap(angle: Tensor) -> Tensor:
    """The same angle in [-pi, pi)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def log_target(yaw: Float[Tensor, "n"], bins: int, sigma: float) -> Float32[Tensor, "n {bins}"]:
    """Log probabilities of a wrapped Gaussian of deviation `sigma` (rad) around each yaw (rad)."""
    off = _wrap(yaw.double()[:, None] - bin_centres(bins).to(yaw.device))
    return torch.log_softmax(-0.5 * (off / sigma).square(), dim=1).float()


def orientation_kl(
    logits: Float[Tensor, "n k"], yaw: Float[Tensor, "n"], known: Bool[Tensor, "n"], sigma: float
) -> Float32[Tensor, "n"]:
    """KL(target || softmax(logits)) of each row, nats, in float32; 0 where the yaw is not known.

    Args:
        logits: of bins over [-pi, pi).
        yaw: radians, of any turn; whatever where not known, NaN too.
        known: rows that count.
        sigma: of the target, radians.
    """
    with torch.autocast(logits.device.type, enabled=False):
        target = log_target(torch.where(known, yaw, 0.0), logits.shape[1], sigma)
        found = torch.log_softmax(logits.float(), dim=1)
        return torch.where(known, (target.exp() * (target - found)).sum(1), 0.0)


def decode(logits: Float[Tensor, "n k"]) -> Yaw:
    """The mean direction of the bins; its length tells whether there is one."""
    share = torch.softmax(logits.double(), dim=1)
    centres = bin_centres(logits.shape[1]).to(logits.device)
    x, y = share @ centres.cos(), share @ centres.sin()
    # Rounding may leave a length above 1, whose logarithm has no root.
    resultant = torch.hypot(x, y).clamp(max=1.0)
    return Yaw(torch.atan2(y, x), resultant, (-2 * resultant.log()).clamp(min=0.0).sqrt())


def others(logits: Float[Tensor, "k"], yaw: float, count: int = 2) -> tuple[float, ...]:
    """Directions besides `yaw`: centres of the likeliest bins, each `APART` or more from those before it.

    Of bins alike the first is taken. Fewer than `count` where few bins leave no room.
    """
    centres = bin_centres(len(logits)).tolist()
    likeliest = sorted(range(len(centres)), key=lambda k: (-float(logits[k]), k))
    found: list[float] = []
    for centre in (centres[k] for k in likeliest):
        apart = all(abs(math.remainder(centre - one, 2 * math.pi)) >= APART for one in (yaw, *found))
        if apart and len(found) < count:
            found.append(centre)
    return tuple(found)
