"""A camera as it is written on a command line."""

from __future__ import annotations

from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole


def camera_of(intrinsics: str, size: str) -> Pinhole:
    """The camera of `fx,fy,cx,cy` (pixels) and `WxH`; ParameterError naming the option that is wrong."""
    try:
        fx, fy, cx, cy = (float(word) for word in intrinsics.split(","))
    except ValueError as error:
        expected = "fx,fy,cx,cy in pixels"
        raise ParameterError(
            "not intrinsics", where="--intrinsics", expected=expected, found=intrinsics
        ) from error
    try:
        width, height = (int(word) for word in size.lower().split("x"))
    except ValueError as error:
        raise ParameterError("not an image size", where="--size", expected="1296x968", found=size) from error
    try:
        return Pinhole(width, height, fx, fy, cx, cy)
    except ValueError as error:
        raise ParameterError("not a camera", where="--intrinsics, --size", found=error) from error
