"""What an image processor makes of a colour image: tiles, each resized, cropped and padded by exact numbers.

An edge coordinate e of an image is 0 at its left (or top) border and its width (or height) at the other, so
that pixel c reaches from c to c + 1 and has its centre at c + 0.5. In these coordinates a resize is a factor,
a crop or padding an offset, and any sequence of them one factor and one offset on each axis: fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

ONE, ZERO = Fraction(1), Fraction(0)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture that a vision tower sees, made of the colour image.

    Attributes:
        width, height: pixels.
        scale: (x, y), tile pixels for each colour pixel.
        shift: (x, y), edge coordinates in the tile of the colour image's left and top border.
    """

    width: int
    height: int
    scale: tuple[Fraction, Fraction] = (ONE, ONE)
    shift: tuple[Fraction, Fraction] = (ZERO, ZERO)

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or min(self.scale) <= 0:
            raise ValueError(f"not a picture: {self}; width, height and scale must be positive")

    def resized(self, width: int, height: int) -> Tile:
        """The whole tile resized; a pixel coordinate c becomes (c + 0.5) s - 0.5 on each axis."""
        x, y = Fraction(width, self.width), Fraction(height, self.height)
        scale = self.scale[0] * x, self.scale[1] * y
        return Tile(width, height, scale, (self.shift[0] * x, self.shift[1] * y))

    def cropped(self, left: int, top: int, width: int, height: int) -> Tile:
        """The part of `width` x `height` pixels from (left, top) on; beyond the tile it is padding."""
        return Tile(width, height, self.scale, (self.shift[0] - left, self.shift[1] - top))

    def padded(self, left: int, top: int, right: int, bottom: int) -> Tile:
        """The tile with so many pixels more on each side."""
        return self.cropped(-left, -top, left + self.width + right, top + self.height + bottom)

    def from_color(self, uv: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Tile pixel coordinates of colour pixel coordinates (integers at pixel centres in both)."""
        edge: Float64[np.ndarray, "*n 2"] = (uv + 0.5) * _floats(self.scale) + _floats(self.shift)
        return edge - 0.5

    def to_color(self, uv: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 2"]:
        """Colour pixel coordinates of tile pixel coordinates; the inverse of `from_color`."""
        edge: Float64[np.ndarray, "*n 2"] = (uv + 0.5 - _floats(self.shift)) / _floats(self.scale)
        return edge - 0.5


@dataclass(frozen=True)
class ImageWarp:
    """What an image processor makes of a colour image of a given size.

    Attributes:
        width, height: pixels of the colour image.
        patch_size: edge (pixels) of the vision tower's patches, which start at a tile's left top corner;
            what remains at its right and bottom is not seen.
        tiles: in the processor's order.
    """

    width: int
    height: int
    patch_size: int
    tiles: tuple[Tile, ...]

    def __post_init__(self) -> None:
        if min(self.width, self.height, self.patch_size) < 1 or not self.tiles:
            raise ValueError("width, height and patch_size must be positive, and there must be a tile")
        if min(min(self.grid(tile)) for tile in self.tiles) < 1:
            raise ValueError(f"a tile is smaller than a patch of {self.patch_size} pixels: {self.tiles}")

    def grid(self, tile: Tile) -> tuple[int, int]:
        """Rows and columns of a tile's patches."""
        return tile.height // self.patch_size, tile.width // self.patch_size

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of every tile's patches."""
        return tuple(self.grid(tile) for tile in self.tiles)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an array with an entry for every patch.

        (rows, columns) for one tile; (patches,) for more, tile after tile and row after row.
        """
        grids = self.grids
        return grids[0] if len(grids) == 1 else (sum(rows * columns for rows, columns in grids),)

    def patch_of(self, number: int, uv: Float[np.ndarray, "*n 2"]) -> Int64[np.ndarray, "*n"]:
        """The patch (row * columns + column) of a tile that shows each place of the colour image.

        `uv` are colour pixel coordinates. -1 outside the colour image (NaN included) or the tile's grid, and
        in a tile pixel that is padding.
        """
        column, row = self.line_of(number, 0, uv[..., 0]), self.line_of(number, 1, uv[..., 1])
        return np.where((column >= 0) & (row >= 0), row * self.grid(self.tiles[number])[1] + column, -1)

    def line_of(self, number: int, axis: int, c: Float[np.ndarray, "*n"]) -> Int64[np.ndarray, "*n"]:
        """The column (`axis` 0) or row (1) of a tile's patches that shows colour pixel coordinates u or v.

        -1 as in `patch_of`.
        """
        tile = self.tiles[number]
        scale, shift = (float(part[axis] / self.patch_size) for part in (tile.scale, tile.shift))
        edge = c + 0.5
        place = edge * scale + shift
        first, stop = self._shown(number, axis)
        low, high = first / self.patch_size, min(self.grid(tile)[1 - axis], stop / self.patch_size)
        inside = (edge >= 0) & (edge < (self.width, self.height)[axis])
        inside &= (place >= max(0, low)) & (place < high)
        return np.where(inside, np.floor(np.where(inside, place, 0.0)), -1.0).astype(np.int64)

    def centres(self, number: int) -> Float64[np.ndarray, "rows columns 2"]:
        """Tile pixel coordinates of a tile's patch centres."""
        rows, columns = self.grid(self.tiles[number])
        middle = (self.patch_size - 1) / 2
        u, v = np.arange(columns) * self.patch_size + middle, np.arange(rows) * self.patch_size + middle
        return np.stack(np.meshgrid(u, v), axis=-1)

    def padding(self, number: int) -> Bool[np.ndarray, "h w"]:
        """Which pixels of a tile are padding: those whose centre lies outside the colour image."""
        tile = self.tiles[number]
        padding = np.ones((tile.height, tile.width), dtype=np.bool_)
        (left, right), (top, bottom) = ([max(0, at) for at in self._shown(number, axis)] for axis in (0, 1))
        padding[top:bottom, left:right] = False
        return padding

    def _shown(self, number: int, axis: int) -> tuple[int, int]:
        """The range [first, stop) of tile pixels with their centre in the image, beyond the tile, too."""
        tile, half = self.tiles[number], Fraction(1, 2)
        start = tile.shift[axis]
        stop = start + tile.scale[axis] * (self.width, self.height)[axis]
        return math.ceil(start - half), math.ceil(stop - half)

    @property
    def whole(self) -> bool:
        """Whether the only tile is the whole colour image, resized, and its patches cover it."""
        tile = self.tiles[0]
        full = Tile(self.width, self.height).resized(tile.width, tile.height)
        fits = tile.width % self.patch_size == 0 and tile.height % self.patch_size == 0
        return len(self.tiles) == 1 and tile == full and fits

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; fractions as texts, "3/5"."""
        return {
            "width": self.width,
            "height": self.height,
            "patch_size": self.patch_size,
            "tiles": [
                {
                    "width": tile.width,
                    "height": tile.height,
                    "scale": [str(part) for part in tile.scale],
                    "shift": [str(part) for part in tile.shift],
                }
                for tile in self.tiles
            ],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ImageWarp:
        """The inverse of `to_dict`; a missing or unknown field is a ValueError."""
        _expect(fields, ("width", "height", "patch_size", "tiles"), "a warp")
        return cls(
            int(fields["width"]),
            int(fields["height"]),
            int(fields["patch_size"]),
            tuple(_tile(tile) for tile in fields["tiles"]),
        )


def squash(width: int, height: int, image_size: int, patch_size: int) -> ImageWarp:
    """The warp that squashes a whole colour image (pixels) to a square of `image_size` pixels."""
    return ImageWarp(width, height, patch_size, (Tile(width, height).resized(image_size, image_size),))


def _floats(pair: tuple[Fraction, Fraction]) -> Float64[np.ndarray, "2"]:
    return np.array([float(part) for part in pair])


def _tile(fields: Mapping[str, Any]) -> Tile:
    _expect(fields, ("width", "height", "scale", "shift"), "a tile")
    scale, shift = ((Fraction(x), Fraction(y)) for x, y in (fields["scale"], fields["shift"]))
    return Tile(int(fields["width"]), int(fields["height"]), scale, shift)


def _expect(fields: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    if set(fields) != set(names):
        raise ValueError(f"{what} has the fields {', '.join(names)}; found {', '.join(sorted(fields))}")
