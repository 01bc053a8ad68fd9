"""Options that several commands share, from text."""

from __future__ import annotations

from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole


def camera_of(intrinsics: str, size: str, names: tuple[str, str] = ("--intrinsics", "--size")) -> Pinhole:
    """The camera of "fx,fy,cx,cy" and "WxH" (pixels); ParameterError, naming the option, for other text."""
    wide, high = size_of(size, names[1])
    try:
        fx, fy, cx, cy = (float(word) for word in intrinsics.split(","))
    except ValueError as error:
        expected = "fx,fy,cx,cy in pixels"
        raise ParameterError("not intrinsics", where=names[0], expected=expected, found=intrinsics) from error
    try:
        return Pinhole(wide, high, fx, fy, cx, cy)
    except ValueError as error:
        raise ParameterError("not a camera", where=", ".join(names), found=error) from error


def size_of(size: str, name: str) -> tuple[int, int]:
    """Width and height of "WxH"; ParameterError for other text."""
    try:
        width, height = (int(word) for word in size.lower().split("x"))
    except ValueError as error:
        raise ParameterError("not an image size", where=name, expected="1296x968", found=size) from error
    return width, height
