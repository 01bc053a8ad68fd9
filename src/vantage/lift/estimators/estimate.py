"""From a network's output to numbers at the colour image's own pixels: metres, or relative inverse depth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vantage.core.errors import ParameterError
from vantage.lift.estimators.estimator import Prediction
from vantage.lift.estimators.grids import at_pixels
from vantage.lift.estimators.meaning import Meaning

#: Canonical inverse depths below this (1/m) are sky, not surface.
FARTHEST_PER_M = 1e-4


@dataclass(frozen=True)
class Estimate:
    """What was estimated for every pixel of a colour image.

    Attributes:
        values: depth along the optical axis in metres with holes 0; or, if `relative`, inverse depth up to
            scale and shift, NaN where there is none.
        relative: which of the two.
        focal_ratio: the focal length that the network guessed, over the camera's; None without a guess.
    """

    values: Float32[np.ndarray, "h w"]
    relative: bool
    focal_ratio: float | None = None


def estimate(prediction: Prediction, meaning: Meaning, focal_px: float | None) -> Estimate:
    """Read a prediction; `focal_px` is the camera's focal length along x, in the colour image's pixels.

    Canonical depth is scaled to that focal length, and only without one to what the network guessed. Raises
    ParameterError when there is neither.
    """
    values = at_pixels(prediction.values, prediction.warp)
    if meaning.quantity == "relative":
        return Estimate(np.where(np.isfinite(values), values, np.float32(np.nan)), relative=True)
    if meaning.quantity == "metric":
        return Estimate(_without_holes(values), relative=False)
    width = prediction.warp.size[1]
    guessed = _focal_px(prediction.fov_deg, width)
    focal = focal_px if focal_px is not None else guessed
    if focal is None:
        raise ParameterError(
            "the depth of this model needs the camera's focal length", where="intrinsics",
            expected="fx, fy, cx, cy in pixels",
            found="none, and no usable field of view from the model",
        )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = values.astype(np.float64) * (width / focal)
        depth = np.where(inverse > FARTHEST_PER_M, 1 / inverse, 0).astype(np.float32)
    ratio = guessed / focal_px if guessed is not None and focal_px is not None else None
    return Estimate(_without_holes(depth), relative=False, focal_ratio=ratio)


def _without_holes(depth: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))


def _focal_px(fov_deg: float | None, width: int) -> float | None:
    """Focal length of a horizontal field of view; None outside (0, 180) degrees, which is no view."""
    if fov_deg is None or not 0 < fov_deg < 180:
        return None
    return 0.5 * width / math.tan(0.5 * math.radians(fov_deg))
