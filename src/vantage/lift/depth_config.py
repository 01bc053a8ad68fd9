"""Where the depth that `lift` rests on comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class DepthConfig:
    """Where depth comes from; see docs/lift.md for models and what their scale rests on.

    Attributes:
        source: `sensor`, as recorded; `cloud`, the scan's points, hidden ones left out; `mesh`, rays cast at
            its mesh; or `estimator`, by a model from the colour image.
        model: for the estimator: a folder with a model of transformers, or its name on the hub.
        revision: of a model of the hub: the commit, 40 hexadecimal digits.
        align: what sets the scale: `none` (the model's metres), `sensor` (each frame's recorded depth), or
            `height` (the floor lies as far below the camera as the pose says).
        shift: with `sensor`: fit a shift beside the scale. Relative models always have one.
        batch: images at a time.
        device: `auto` takes a GPU where there is one.
        precision: of the network's arithmetic.
        width: columns of the depth images made of a cloud or mesh, which see what the colour camera sees; 0
            for as many as the depth camera has.
    """

    source: Literal["sensor", "cloud", "mesh", "estimator"] = "sensor"
    model: str = ""
    revision: str = ""
    align: Literal["none", "sensor", "height"] = "none"
    shift: bool = False
    batch: Annotated[int, Ge(1)] = 4
    device: Device = "auto"
    precision: Precision = "float32"
    width: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        if self.source == "estimator" and not self.model:
            raise ValueError("source estimator needs a model: a folder, or a name on the hub with a revision")
        if self.shift and self.align != "sensor":
            raise ValueError(f"shift is fitted to a sensor's depth; align is {self.align}")
