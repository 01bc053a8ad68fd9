"""Pieces that objects are built of, and the builder that collects them."""

from __future__ import annotations

from dataclasses import dataclass

from vantage.scans.generated.room import COLORS, Item
from vantage.scans.generated.texture import Material

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Part:
    """A piece of an object, in the object's own axes (metres, origin at the middle of its underside).

    `sides` 4 is a box; more make an upright prism whose base fills `size`; `taper` scales its upper end.
    """

    center: tuple[float, float, float]
    size: tuple[float, float, float]
    rgb: Rgb
    material: Material = Material.PLAIN
    sides: int = 4
    taper: float = 1.0


class Builder:
    """Collects parts given by their lower and upper bounds along each axis."""

    def __init__(self, item: Item) -> None:
        self.dx, self.dy, self.dz = item.size
        red, green, blue = COLORS.get(item.color, (128, 128, 128))
        self.color: Rgb = (float(red), float(green), float(blue))
        self.parts: list[Part] = []

    def dark(self, share: float) -> Rgb:
        """The colour, darker."""
        r, g, b = self.color
        return (r * share, g * share, b * share)

    def light(self, share: float) -> Rgb:
        """The colour mixed with white; white itself is mixed with grey, so that it shows."""
        other = 255.0 if min(self.color) < 200 else 205.0
        r, g, b = self.color
        return (r + (other - r) * share, g + (other - g) * share, b + (other - b) * share)

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        rgb: Rgb | None = None,
        material: Material = Material.PLAIN,
    ) -> None:
        """A box from its bounds."""
        self._add(x, y, z, rgb or self.color, material, 4, 1.0)

    def round(
        self,
        radius: float,
        z: tuple[float, float],
        rgb: Rgb | None = None,
        taper: float = 1.0,
        material: Material = Material.PLAIN,
        sides: int = 12,
    ) -> None:
        """An upright round part about the object's axis."""
        r = (-radius, radius)
        self._add(r, r, z, rgb or self.color, material, sides, taper)

    def _add(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        rgb: Rgb,
        material: Material,
        sides: int,
        taper: float,
    ) -> None:
        center = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
        size = (x[1] - x[0], y[1] - y[0], z[1] - z[0])
        self.parts.append(Part(center, size, rgb, material, sides, taper))

    @property
    def x(self) -> float:
        """Half the depth."""
        return self.dx / 2

    @property
    def y(self) -> float:
        """Half the width."""
        return self.dy / 2

    def legs(self, thick: float, top: float, rgb: Rgb | None = None) -> None:
        """Four legs in the corners."""
        for sx in (-1, 1):
            for sy in (-1, 1):
                x, y = sx * (self.x - thick / 2), sy * (self.y - thick / 2)
                h = thick / 2
                self.box((x - h, x + h), (y - h, y + h), (0.0, top), rgb)
