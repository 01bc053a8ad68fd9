"""Places of a benchmark in a scan's aligned world, and places that a model tells in the benchmark's frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float32, Float64

from vantage.core.errors import VantageError
from vantage.core.frames import require_frame
from vantage.geometry.transforms import apply, wrap, yaw_of

Origin = Literal["aligned_centre", "raw_middle", "aligned"]
"""What SQA3D's positions are counted from; its files do not say, see docs/predict.md."""
ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True, eq=False)
class AnnotatedFrame:
    """A frame of places seen from above: x and y in metres, headings in radians.

    Attributes:
        origin: what positions are counted from.
        points_raw: of the scan, metres.
        T_aligned_raw: the scan's alignment.
    """

    origin: Origin
    points_raw: Float32[np.ndarray, "n 3"]
    T_aligned_raw: Float64[np.ndarray, "4 4"]

    def to_aligned(self, x: float, y: float, yaw: float) -> tuple[float, float, float]:
        """A place of this frame in the aligned world; `VantageError` for a scan without points."""
        T, middle = self._basis
        at = apply(T, np.array([x + middle[0], y + middle[1], 0.0]))
        return float(at[0]), float(at[1]), yaw + yaw_of(T)

    def from_aligned(self, x: float, y: float, yaw: float) -> tuple[float, float, float]:
        """The way back; `VantageError` for a scan without points."""
        T, middle = self._basis
        at = np.linalg.solve(T[:2, :2], np.array([x, y]) - T[:2, 3]) - middle[:2]
        return float(at[0]), float(at[1]), wrap(yaw - yaw_of(T))

    @cached_property
    def _basis(self) -> tuple[Float64[np.ndarray, "4 4"], Float64[np.ndarray, "3"]]:
        """To the aligned world from the world whose axes the frame has, and its origin in that world."""
        T_aligned_raw, points = self.T_aligned_raw, self.points_raw.astype(np.float64)
        if self.origin == "aligned":
            return np.eye(4), np.zeros(3)
        if not len(points):
            raise VantageError(
                "places cannot be counted from the middle of a scan without points",
                expected="a mesh or depth", found="no point", hint="--origin aligned needs none",
            )  # fmt: skip
        if self.origin == "raw_middle":
            return T_aligned_raw, _middle(points)
        return np.eye(4), _middle(apply(T_aligned_raw, points))


def place_fields(place: Mapping[str, Any], annotated: AnnotatedFrame) -> dict[str, Any]:
    """A situated model's place as `sqa3d_localization` reads it.

    Args:
        place: fields of `vantage.models.situated.PlaceEstimate`.
        annotated: the benchmark's frame in the scan.

    Returns:
        `positions`, one; `rotations`, up to three, the model's own first (the asker faces its local -x axis);
        `sigma_m` (of one axis, the same in all directions) and `sigma_rad`; a deviation that is no number
        above 0 is left out. Millimetres and milliradians are the last digits: below them, places differ with
        the batch.

    Raises `ContractError` for a place in another frame than the aligned world.
    """
    require_frame(place["frame"], "aligned", "the place that the model tells")
    x, y = float(place["x"]), float(place["y"])
    places = [annotated.from_aligned(x, y, float(yaw)) for yaw in (place["yaw"], *place["other_yaws"])]
    position = {"x": _written(places[0][0]), "y": _written(places[0][1])}
    sigmas = {
        "sigma_m": math.sqrt((place["sigma_x"] ** 2 + place["sigma_y"] ** 2) / 2),
        "sigma_rad": float(place["sigma_yaw"]),
    }
    written = {name: _written(sigma) for name, sigma in sigmas.items() if math.isfinite(sigma)}
    known = {name: sigma for name, sigma in written.items() if sigma > 0}
    return {"positions": [position], "rotations": [_rotation(yaw) for _, _, yaw in places], **known}


def _rotation(yaw: float) -> dict[str, float]:
    """Of an asker that faces `yaw`: a turn about the vertical that brings local -x there."""
    half = _written(wrap(yaw - math.pi)) / 2
    return {"_x": 0.0, "_y": 0.0, "_z": math.sin(half), "_w": math.cos(half)}


def _written(value: float) -> float:
    """Three decimals; never -0.0."""
    return round(value, 3) + 0.0


def _middle(points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "3"]:
    """The middle of the axis-aligned box around points."""
    return np.asarray((points.min(0) + points.max(0)) / 2, dtype=np.float64)
