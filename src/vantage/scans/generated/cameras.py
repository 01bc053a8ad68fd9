"""The two cameras of the generated sensor: colour, and depth with intrinsics of its own."""

from __future__ import annotations

import math

from vantage.geometry.camera import Pinhole
from vantage.scans.generated.config import GeneratedConfig

COLOR_FOV = math.radians(75)
DEPTH_FOV = math.radians(78)
"""Horizontal fields of view; depth sees a little more than colour on every side."""


def color_camera(config: GeneratedConfig) -> Pinhole:
    """The colour camera; `.resized(64, 64)` is what the pocket model sees."""
    return _pinhole(config.color_width, config.color_height, COLOR_FOV, 0.004)


def depth_camera(config: GeneratedConfig) -> Pinhole:
    """The depth camera, at the same place as the colour camera."""
    return _pinhole(config.depth_width, config.depth_height, DEPTH_FOV, -0.006)


def _pinhole(width: int, height: int, fov: float, shift: float) -> Pinhole:
    """Square pixels; the principal point is `shift` of the width off the middle, as lenses are."""
    f = width / 2 / math.tan(fov / 2)
    return Pinhole(width, height, f, f, (width - 1) / 2 + shift * width, (height - 1) / 2 - shift * height)
