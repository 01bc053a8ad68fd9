"""Telling a model which object is meant: a red outline on the picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64, UInt8

RED = (255, 0, 0)
_SHARE = 1 / 160  # of the picture's shorter side: still a pixel wide once a processor has made it small


def thickness_px(width: int, height: int) -> int:
    """How thick lines are on a picture of some size."""
    return max(2, round(min(width, height) * _SHARE))


def ring(
    outline: Float[np.ndarray, "h 2"], width: int, height: int, gap: bool = False
) -> Bool[np.ndarray, "{height} {width}"]:
    """The pixels of a line along a convex outline.

    The line lies just within the outline; with `gap` just outside of it, so that it hides nothing of a small
    object. Along the picture's border it lies within the picture.

    Args:
        outline: corners (px, turning from u to v); fewer than three enclose nothing.
        width, height: of the picture (px).
        gap: whether the line lies outside.
    """
    if len(outline) < 3:
        return np.zeros((height, width), dtype=bool)
    line = thickness_px(width, height)
    v, u = np.mgrid[:height, :width]
    inside = np.min([u, v, width - 1 - u, height - 1 - v], axis=0) + 0.5
    for normal, offset in _edges(outline):
        inside = np.minimum(inside, normal[0] * u + normal[1] * v - offset + (line if gap else 0))
    return np.asarray((inside >= 0) & (inside < line))


def outlined(
    pixels: UInt8[np.ndarray, "h w 3"], outline: Float[np.ndarray, "k 2"], gap: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of a picture with a red line along an outline; see `ring`."""
    marked = pixels.copy()
    marked[ring(outline, pixels.shape[1], pixels.shape[0], gap)] = RED
    return marked


def rectangle(left: float, top: float, right: float, bottom: float) -> Float64[np.ndarray, "4 2"]:
    """The outline of a rectangle (px)."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], dtype=np.float64)


def _edges(outline: Float[np.ndarray, "h 2"]) -> list[tuple[Float64[np.ndarray, "2"], float]]:
    """The inward unit normal of each edge, and the line's offset along it."""
    corners = np.asarray(outline, dtype=np.float64)
    found = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = end - start
        length = float(np.hypot(*along))
        if length > 0:
            normal = np.array([-along[1], along[0]]) / length
            found.append((normal, float(normal @ start)))
    return found
