"""What a detector says an object covers in a colour image: a rectangle or a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from vantage.core.errors import ParameterError
from vantage.geometry.camera import Pinhole

_OVERRUN_LEAST_PX, _OVERRUN_SHARE = 4.0, 0.06
"""How far a mask may run over onto what is beside the object: in pixels, as a share of its longer side."""
_MARGIN_PX = 2.0
"""How far a mask's edge may be off before another view contradicts it."""


@dataclass(frozen=True, eq=False)
class Region:
    """A rectangle of the colour image, and the mask in it, if the detector gave one.

    Attributes:
        box: x0, y0, x1, y1 in pixels, integers at pixel centres, ends included.
        mask: of the whole colour image, or None for a bare box.
    """

    box: Float64[np.ndarray, "4"]
    mask: Bool[np.ndarray, "H W"] | None = None

    @classmethod
    def of_box(cls, box: Float[np.ndarray, "4"] | tuple[float, float, float, float]) -> Region:
        """A bare box; ParameterError unless finite and with x0 < x1, y0 < y1."""
        given = np.asarray(box, dtype=np.float64)
        if not np.isfinite(given).all() or not (given[:2] < given[2:]).all():
            expected = "x0, y0, x1, y1 in pixels, x0 < x1 and y0 < y1"
            raise ParameterError("not a 2D box", expected=expected, found=given.tolist())
        return cls(given)

    @classmethod
    def of_mask(cls, mask: Bool[np.ndarray, "H W"]) -> Region:
        """A mask of the whole colour image; ParameterError if nothing is set."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            raise ParameterError("an empty mask", expected="at least one pixel", found="none")
        return cls(np.array([columns[0], rows[0], columns[-1], rows[-1]], dtype=np.float64), mask)

    def contains(self, uv: Float64[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
        """Which colour pixels are in it; a mask's are those of the nearest pixel."""
        if self.mask is None:
            return self.within(uv, 0.0)
        return _looked_up(self.mask, uv)

    def within(self, uv: Float64[np.ndarray, "*n 2"], margin_px: float) -> Bool[np.ndarray, "*n"]:
        """Which colour pixels are in the rectangle grown by a margin."""
        return np.asarray(((uv >= self.box[:2] - margin_px) & (uv <= self.box[2:] + margin_px)).all(axis=-1))

    def interior(self, uv: Float64[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
        """Which colour pixels are too far inside of a mask for it to have run over; none of a bare box."""
        if self.mask is None:
            return np.zeros(uv.shape[:-1], dtype=bool)
        from scipy.ndimage import distance_transform_edt

        x0, y0, x1, y1 = self.box.astype(np.int64)
        within = np.pad(self.mask[y0 : y1 + 1, x0 : x1 + 1], 1)
        edge = max(_OVERRUN_LEAST_PX, _OVERRUN_SHARE * float((self.box[2:] - self.box[:2]).max()))
        return _looked_up(distance_transform_edt(within) > edge, uv - (x0 - 1, y0 - 1))

    def weight(self, uv: Float64[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n"]:
        """How much a colour pixel counts for what the region is of: in a bare box the middle counts most."""
        if self.mask is not None:
            return np.ones(uv.shape[:-1])
        off = (uv - (self.box[:2] + self.box[2:]) / 2) / np.maximum(self.box[2:] - self.box[:2], 1.0)
        return np.asarray(np.exp(-4.0 * (off**2).sum(axis=-1)))

    def beside(self, uv: Float64[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
        """Which colour pixels are clearly outside: beyond what its edge may be off by."""
        near = self.within(uv, _MARGIN_PX)
        if self.mask is not None:
            from scipy.ndimage import binary_dilation

            near &= _looked_up(binary_dilation(self.mask, iterations=round(_MARGIN_PX)), uv)
        return np.asarray(~near)

    def sides_cut(self, camera: Pinhole) -> int:
        """How many of its four sides the image's border may have cut off."""
        x0, y0, x1, y1 = self.box
        return int(x0 < 1) + int(y0 < 1) + int(x1 > camera.width - 2) + int(y1 > camera.height - 2)


def _looked_up(mask: Bool[np.ndarray, "H W"], uv: Float64[np.ndarray, "*n 2"]) -> Bool[np.ndarray, "*n"]:
    height, width = mask.shape
    with np.errstate(invalid="ignore"):
        column, row = np.floor(uv[..., 0] + 0.5), np.floor(uv[..., 1] + 0.5)
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    index = np.where(inside, row * width + column, 0).astype(np.int64)
    return np.asarray(inside & mask.ravel()[index])
