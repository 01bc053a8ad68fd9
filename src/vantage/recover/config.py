"""Parameters of the `recover` stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

Mode = Literal["calibrated", "reference", "box", "point"]


@dataclass(frozen=True)
class RecoverConfig:
    """How the `recover` stage scores poses against objects.

    Attributes:
        mode: `calibrated` is the visible fraction: an object's points that are in the picture and unoccluded.
            `reference` gives the published PoseRecover's scores, with the scan's own cameras. `box` (share of
            the box in the picture) and `point` (how central its centre is) need no points.
        stride: every so many kept frames are scored (the published value is 25, on 30 frames a second).
        shrink: the depth buffer of the scan's points is so many times the colour image, in width and height.
        near_m, far_m: points and measured depths outside are not in view; `reference` has no such limits.
        tolerance_m: `calibrated` only: how far (m, across it) a surface may lie behind the depth found.
        tolerance_per_m2: `calibrated` only: times the squared depth (m), added where depth was measured.
        box_samples: `box` only: random points of a box.
        pixel_stride: edge (pixels) of the cells of a depth image that are labelled for `visible_px`.
        label_radius_m: a depth pixel belongs to the object of its nearest vertex, if that is within this.
    """

    mode: Mode = "calibrated"
    stride: Annotated[int, Ge(1)] = 1
    shrink: Annotated[float, Gt(0.0), Le(1.0)] = 0.1
    near_m: Annotated[float, Ge(0.0)] = 0.1
    far_m: Annotated[float, Gt(0.0)] = 10.0
    tolerance_m: Annotated[float, Gt(0.0)] = 0.01
    tolerance_per_m2: Annotated[float, Ge(0.0)] = 0.004
    box_samples: Annotated[int, Ge(1)] = 1000
    pixel_stride: Annotated[int, Ge(1)] = 4
    label_radius_m: Annotated[float, Gt(0.0)] = 0.08

    def __post_init__(self) -> None:
        if self.near_m >= self.far_m:
            raise ValueError(f"near_m {self.near_m} must be below far_m {self.far_m}")
