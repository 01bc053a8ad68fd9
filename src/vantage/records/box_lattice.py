"""The whole numbers that boxes are written as in text, and what each of them stands for.

`METRIC` is our own: fixed ranges in metres, a number stands for the middle of its bin, so what is read back
is off by half a bin at most and by nothing on average. `n3d_lattice` is N3D-VLM's, relative to a scene: it
cuts instead of rounding, so that what is read back is up to one bin too small, half a bin on average.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from vantage.core.errors import ParameterError
from vantage.geometry.transforms import wrap

FIELDS: Final = ("u", "v", "z", "angle", "sx", "sy", "sz")
"""The numbers of a box in the order of the text."""


@dataclass(frozen=True)
class BoxAxis:
    """How one quantity becomes a whole number `k`, which stands for `origin + k / bins * span / scale`.

    Attributes:
        unit: of the quantity, in words.
        span: range of the scaled quantity that `bins` numbers cover.
        bins: see `span`.
        first, last: numbers that may be written.
        origin: quantity that 0 stands for.
        scale: scaled units in a unit of the quantity.
        rounding: `nearest`, or `down` (cut).
        periodic: whether the quantity repeats after a span, so that nothing is out of range.
    """

    unit: str
    span: float
    bins: int = 1000
    first: int = 0
    last: int = 999
    origin: float = 0.0
    scale: float = 1.0
    rounding: Literal["nearest", "down"] = "nearest"
    periodic: bool = False

    @property
    def step(self) -> float:
        """Width of a bin in units of the quantity."""
        return self.span / self.bins / self.scale

    @property
    def error(self) -> tuple[float, float]:
        """Least and greatest value of what is read back minus what was written."""
        return (-self.step, 0.0) if self.rounding == "down" else (-self.step / 2, self.step / 2)

    @property
    def limits(self) -> tuple[float, float]:
        """Quantities from the first up to, and without, the second can be written."""
        if self.rounding == "down":
            return self.decode(self.first), self.decode(self.last + 1)
        return self.decode(self.first) - self.step / 2, self.decode(self.last) + self.step / 2

    def encode(self, value: float) -> int | None:
        """The number of a quantity; None where it cannot be written (out of range, not finite)."""
        if not math.isfinite(value):
            return None
        if self.periodic:
            value = wrap(value)
        bins = (value - self.origin) * self.scale / self.span * self.bins
        k = math.floor(bins + 0.5 if self.rounding == "nearest" else bins)
        if self.periodic:
            k = (k - self.first) % self.bins + self.first
        return k if self.first <= k <= self.last else None

    def decode(self, k: int) -> float:
        """The quantity that a number stands for."""
        return k / self.bins * self.span / self.scale + self.origin


@dataclass(frozen=True)
class BoxLattice:
    """A quantity's axis for each of `FIELDS`.

    Attributes:
        name: stands in whatever is trained with it.
        image: u and v, shares of the image's width and height from its upper left corner.
        depth: z, metres ahead of the camera along its axis.
        angle: radians, as `ViewBox.angle`.
        size: width, height and length, metres.
        escaped: whether class names are escaped; N3D-VLM's are written as they are.
    """

    name: str
    image: BoxAxis
    depth: BoxAxis
    angle: BoxAxis
    size: BoxAxis
    escaped: bool = True

    @property
    def axes(self) -> tuple[BoxAxis, ...]:
        """By field, in the order of `FIELDS`."""
        return (self.image, self.image, self.depth, self.angle, self.size, self.size, self.size)


METRIC: Final = BoxLattice(
    name="metric",
    image=BoxAxis("of the image", 1.0, first=-1000, last=1999),
    depth=BoxAxis("m", 10.0, first=1, last=1000),
    angle=BoxAxis("rad", 2 * math.pi, first=-500, last=499, periodic=True),
    size=BoxAxis("m", 5.0, last=1000),
)
"""Thousandths of the image, one image beyond its borders included; centimetres of depth up to 10 m; sizes in
half centimetres up to 5 m; thousandths of a turn."""


def n3d_lattice(scene_scale: float, shift_z: float) -> BoxLattice:
    """N3D-VLM's lattice of one scene: depths and sizes in units of the scene's mean point norm.

    Args:
        scene_scale: one over the mean norm (m) of the scene's valid points after the least x, y and z among
            them were subtracted.
        shift_z: that least z, metres.

    What the published code clips in silence cannot be written. Raises `ParameterError` for a scale that is
    not positive.
    """
    if not (math.isfinite(scene_scale) and scene_scale > 0 and math.isfinite(shift_z)):
        raise ParameterError(
            "not a scene's scale", where="n3d lattice", expected="a scale above 0 and a finite shift",
            found=f"{scene_scale}, {shift_z}",
        )  # fmt: skip
    return BoxLattice(
        name="n3d",
        image=BoxAxis("of the image", 1.0),
        depth=BoxAxis("m", 2.0, origin=shift_z, scale=scene_scale, rounding="down"),
        angle=BoxAxis("rad", 4 * math.pi, origin=-2 * math.pi, rounding="down"),
        size=BoxAxis("m", 0.625, scale=scene_scale, rounding="down"),
        escaped=False,
    )
