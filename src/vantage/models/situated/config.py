"""What a situated model learns besides words, and how much each part weighs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from vantage.align.embed import POSE_NUMBERS
from vantage.core.errors import ParameterError
from vantage.core.frames import Frame


@dataclass(frozen=True)
class SituatedConfig:
    """Loc3R-VLM's layout and situation modelling; weights and bins as published.

    Attributes:
        frame: of layout, places and camera poses.
        layout_weight: of the layout loss beside the words' cross-entropy.
        situation_weight: of the situation loss, which is position + `orientation_weight` x orientation.
        orientation_weight: of orientation within the situation loss.
        bins: of the yaw, over [-pi, pi).
        sigma_ori_deg: spread of the target over the bins, degrees (not published). Below about a bin's
            width the yaw read from the bins is no longer exact.
        ambiguous_below: a yaw whose resultant length (1: all in one direction, 0: none preferred) is smaller
            is marked as ambiguous; 0.2 is a circular deviation of 103 degrees.
        head_width: of the hidden layer of the position and the orientation head (not published).
        camera_width: numbers that a camera is given by: 9 of its pose, or the width of a geometry model's
            camera token (CUT3R: 768).
        camera_drop: share of the training samples whose cameras are withheld.
    """

    frame: Frame = "ego_level"
    layout_weight: Annotated[float, Ge(0)] = 0.05
    situation_weight: Annotated[float, Ge(0)] = 0.075
    orientation_weight: Annotated[float, Ge(0)] = 3.5
    bins: Annotated[int, Ge(3)] = 36
    sigma_ori_deg: Annotated[float, Gt(0)] = 10.0
    ambiguous_below: Annotated[float, Gt(0), Le(1)] = 0.2
    head_width: Annotated[int, Gt(0)] = 512
    camera_width: Annotated[int, Gt(0)] = POSE_NUMBERS
    camera_drop: Annotated[float, Ge(0), Le(1)] = 0.1

    def __post_init__(self) -> None:
        if min(self.bins - 2, self.head_width, self.camera_width) < 1:
            raise ParameterError(
                "sizes of a situated model", expected="3 bins or more, widths above 0",
                found=f"bins {self.bins}, head_width {self.head_width}, camera_width {self.camera_width}",
            )  # fmt: skip
        if not 0 <= self.camera_drop <= 1 or not self.sigma_ori_deg > 0:
            raise ParameterError(
                "parameters of a situated model",
                expected="camera_drop within [0, 1], sigma_ori_deg above 0",
                found=f"camera_drop {self.camera_drop}, sigma_ori_deg {self.sigma_ori_deg}",
            )
