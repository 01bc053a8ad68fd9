"""The place that a situated model reads off its tokens, with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from vantage.core.frames import Frame
from vantage.models.situated.config import SituatedConfig
from vantage.models.situated.gaussian import clamped_log_variances
from vantage.models.situated.orientation import decode, others


@dataclass(frozen=True)
class PlaceEstimate:
    """Where somebody stands and looks, seen from above.

    Attributes:
        x, y: metres in `frame`.
        sigma_x, sigma_y: predicted deviations, metres.
        yaw: radians, counter-clockwise from x.
        sigma_yaw: circular deviation, radians.
        resultant: length of the mean direction, 1 (one direction only) to 0 (none preferred).
        ambiguous: whether `resultant` is so small that `yaw` should not be used.
        frame: of x, y and the yaws.
        other_yaws: the next likeliest directions, well apart from `yaw` and from one another; radians.
    """

    x: float
    y: float
    sigma_x: float
    sigma_y: float
    yaw: float
    sigma_yaw: float
    resultant: float
    ambiguous: bool
    frame: Frame
    other_yaws: tuple[float, ...] = ()


def place_estimates(
    position: Float[Tensor, "b 4"], orientation: Float[Tensor, "b k"], config: SituatedConfig
) -> list[PlaceEstimate]:
    """From the position head's (x, y, log variances) and the orientation head's logits."""
    places = position[:, :2].float().tolist()
    sigmas = (clamped_log_variances(position) / 2).exp().tolist()
    directions = zip(*(values.tolist() for values in decode(orientation)), strict=True)
    return [
        PlaceEstimate(
            x,
            y,
            sigma_x,
            sigma_y,
            yaw,
            sigma_yaw,
            resultant,
            resultant < config.ambiguous_below,
            config.frame,
            others(logits, yaw),
        )
        for (x, y), (sigma_x, sigma_y), (yaw, resultant, sigma_yaw), logits in zip(
            places, sigmas, directions, orientation.float().cpu(), strict=True
        )
    ]
