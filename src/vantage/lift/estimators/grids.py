"""Where a colour pixel lies in a network's output, and the output at every colour pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True)
class Axis:
    """Pixel c of the colour image lies at `scale * c + offset` of the network's image, on one axis."""

    scale: float
    offset: float

    @classmethod
    def by_edges(cls, before: int, after: int, pad: int = 0) -> Axis:
        """A resize that keeps the image's edges, then `pad` pixels in front: (c + 0.5) s - 0.5 + pad."""
        scale = after / before
        return cls(scale, 0.5 * scale - 0.5 + pad)

    @classmethod
    def by_corners(cls, before: int, after: int, pad: int = 0) -> Axis:
        """`pad` pixels on both sides, then a resize that keeps the centres of the corner pixels."""
        scale = (after - 1) / (before + 2 * pad - 1)
        return cls(scale, pad * scale)

    def at(self, count: int) -> Float64[np.ndarray, "{count}"]:
        """Where the first `count` colour pixels lie."""
        return self.scale * np.arange(count, dtype=np.float64) + self.offset


@dataclass(frozen=True)
class Warp:
    """What an image processor did to the pixels of an image, without its colours.

    Attributes:
        size: (height, width) of the colour image.
        network: (height, width) of the network's image.
        y, x: its axes.
    """

    size: tuple[int, int]
    network: tuple[int, int]
    y: Axis
    x: Axis


def at_pixels(values: Float32[np.ndarray, "h w"], warp: Warp) -> Float32[np.ndarray, "H W"]:
    """The network's output at the centre of every pixel of the colour image, bilinear.

    Beyond the outermost centres the nearest row or column holds: nothing is extrapolated. Raises ValueError
    when the output is not of the size of the network's image, so that no pixel can be told from another.
    """
    if values.shape != warp.network:
        raise ValueError(f"an output of {warp.network} pixels was expected, found {values.shape}")
    rows, columns = (axis.at(n) for axis, n in zip((warp.y, warp.x), warp.size, strict=True))
    tall = _between(values.astype(np.float64), rows)
    return np.ascontiguousarray(_between(tall.T, columns).T, dtype=np.float32)


def _between(values: Float64[np.ndarray, "n m"], at: Float64[np.ndarray, "k"]) -> Float64[np.ndarray, "k m"]:
    at = np.clip(at, 0, len(values) - 1)
    low = np.minimum(at.astype(np.int64), max(len(values) - 2, 0))
    high = np.minimum(low + 1, len(values) - 1)
    share = (at - low)[:, None]
    return np.asarray(values[low] * (1 - share) + values[high] * share)
