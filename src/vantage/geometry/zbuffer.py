"""Depth buffers from points."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int


def z_buffer(
    pixel: Int[np.ndarray, "n"], z: Float64[np.ndarray, "n"], n_pixels: int
) -> Float64[np.ndarray, "{n_pixels}"]:
    """Smallest z (m) of the points on each pixel; +inf where none falls.

    `pixel` holds flat indices (row * width + column) in [0, n_pixels).
    """
    buffer = np.full(n_pixels, np.inf)
    np.minimum.at(buffer, pixel, z)
    return buffer
