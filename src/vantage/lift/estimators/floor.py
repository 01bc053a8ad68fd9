"""How far below the camera the floor lies in an estimated depth image, and the scale that follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole

#: Longest side (pixels) at which surfaces are looked at.
_SIDE_PX = 240
#: A floor patch's normal is this near to up.
_UPRIGHT = np.cos(np.radians(15.0))
#: Heights within this share of each other are one plane.
_BAND = 0.03
#: A plane has at least this share of the looked-at pixels, and of the pixels of the largest one.
_LEAST_SHARE, _LEAST_OF_LARGEST = 0.01, 0.1


@dataclass(frozen=True)
class Floor:
    """A floor as estimated.

    Attributes:
        below: distance from the camera straight down to it, in the estimate's unit.
        points: looked-at pixels on it.
        share: of all looked-at pixels.
        spread_relative: median deviation of their heights from `below`, over `below`.
    """

    below: float
    points: int
    share: float
    spread_relative: float


def find_floor(depth: Float32[np.ndarray, "h w"], camera: Pinhole, up_cam: Float[np.ndarray, "3"]) -> Floor:
    """The lowest large level surface that faces up, given which way is up in camera axes (a unit vector).

    `depth` may be off by an unknown scale; holes are 0. A table hides what is a floor only when no floor is
    in the picture. Raises ScanError when no level surface below the camera is large enough.
    """
    heights, looked_at = _level_heights(depth, camera, np.asarray(up_cam, dtype=np.float64))
    least = max(20, int(_LEAST_SHARE * looked_at))
    if len(heights) >= least:
        logs = np.sort(np.log(heights))
        support = np.searchsorted(logs, logs + _BAND, "right") - np.searchsorted(logs, logs - _BAND, "left")
        enough = np.flatnonzero(support >= max(least, _LEAST_OF_LARGEST * support.max()))
        if len(enough):
            lowest = logs[enough[-1]]
            near = enough[logs[enough] >= lowest - 2 * _BAND]
            peak = logs[near[int(np.argmax(support[near]))]]
            on = np.exp(logs[np.abs(logs - peak) <= _BAND])
            below = float(np.median(on))
            spread = float(np.median(np.abs(on - below)) / below)
            return Floor(below, len(on), len(on) / max(1, looked_at), spread)
    raise ScanError(
        "no floor in the picture", expected=f"a level surface of {_LEAST_SHARE:.0%} of the pixels or more",
        found=f"{len(heights)} of {looked_at} pixels face up below the camera",
    )  # fmt: skip


def _level_heights(
    depth: Float32[np.ndarray, "h w"], camera: Pinhole, up_cam: Float64[np.ndarray, "3"]
) -> tuple[Float64[np.ndarray, "n"], int]:
    """Distances below the camera of pixels whose surface faces up, and how many pixels were looked at."""
    stride = max(1, -(-max(depth.shape) // _SIDE_PX))
    first = stride // 2
    z = depth[first::stride, first::stride].astype(np.float64)
    p_cam = camera.rays()[first::stride, first::stride] * z[..., None]
    right, down = p_cam[1:-1, 2:] - p_cam[1:-1, :-2], p_cam[2:, 1:-1] - p_cam[:-2, 1:-1]
    normal = np.cross(down, right)  # towards the camera: y cross x is -z
    length = np.linalg.norm(normal, axis=-1)
    whole = (z[1:-1, 2:] > 0) & (z[1:-1, :-2] > 0) & (z[2:, 1:-1] > 0) & (z[:-2, 1:-1] > 0)
    whole &= (z[1:-1, 1:-1] > 0) & (length > 0)
    facing_up = (normal @ up_cam) >= _UPRIGHT * length
    below = -(p_cam[1:-1, 1:-1] @ up_cam)
    return below[whole & facing_up & (below > 0)], whole.size
