"""Parameters of the `recover` stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True)
class RecoverConfig:
    """How the `recover` stage scores poses against objects.

    Attributes:
        mode: `depth` compares an object's points with the measured depth image; `reference` gives the
            published PoseRecover's scores (a depth buffer of the scan's points), with the scan's own camera.
        stride: every so many kept frames are scored (the published value is 25, on 30 frames a second).
        shrink: `reference` only: the factor on the colour camera's size and intrinsics.
        near_m, far_m: measured depths outside count as holes.
        tolerance_m, tolerance_per_m: `depth` only: a point agrees with the depth image if they differ by less
            than tolerance_m + tolerance_per_m * z.
        pixel_stride: edge (pixels) of the cells of a depth image that are labelled for `visible_px`.
        label_radius_m: a depth pixel belongs to the object of its nearest vertex, if that is within this.
    """

    mode: Literal["depth", "reference"] = "depth"
    stride: Annotated[int, Ge(1)] = 1
    shrink: Annotated[float, Gt(0.0), Le(1.0)] = 0.1
    near_m: Annotated[float, Ge(0.0)] = 0.1
    far_m: Annotated[float, Gt(0.0)] = 10.0
    tolerance_m: Annotated[float, Gt(0.0)] = 0.04
    tolerance_per_m: Annotated[float, Ge(0.0)] = 0.01
    pixel_stride: Annotated[int, Ge(1)] = 4
    label_radius_m: Annotated[float, Gt(0.0)] = 0.08

    def __post_init__(self) -> None:
        if self.near_m >= self.far_m:
            raise ValueError(f"near_m {self.near_m} must be below far_m {self.far_m}")
