"""How well two frames agree under a motion and a depth scale, with hidden surface told from contradiction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import Matrix4, invert
from vantage.scans.diagnosis.views import View

#: What people ask for: the share of points that agree within so many metres.
TOLERANCE_M = 0.05
#: Depths agree within this share of themselves. A tolerance in metres would favour small scales.
TOLERANCE = 0.02
#: Of a pair's points, at least this share must be comparable: else chance decides.
ENOUGH = 0.15


@dataclass(frozen=True, eq=False)
class Tally:
    """Points of a pair, both ways, for each of s scales.

    Attributes:
        agreeing: seen at the predicted depth.
        near: seen within 5 cm of it.
        through, through_5cm: the other frame measured surface behind the point, by more than the tolerance,
            so that the point cannot be there.
        hidden: the other frame measured surface before the point: hidden there, or wrong; not counted.
        points: all points, those outside the other frame included.
    """

    agreeing: Float64[np.ndarray, "s"]
    near: Float64[np.ndarray, "s"]
    through: Float64[np.ndarray, "s"]
    through_5cm: Float64[np.ndarray, "s"]
    hidden: Float64[np.ndarray, "s"]
    points: int

    def share(self) -> Float64[np.ndarray, "s"]:
        """Of the points that can be compared, the share that agrees; few comparable points lower it."""
        return self._of(self.agreeing, self.through)

    def share_5cm(self) -> Float64[np.ndarray, "s"]:
        """The same with 5 cm for the tolerance."""
        return self._of(self.near, self.through_5cm)

    def shared(self) -> Float64[np.ndarray, "s"]:
        """Share of the points that land on a measured pixel."""
        return np.asarray((self.agreeing + self.through + self.hidden) / max(1, self.points))

    def _of(self, agreeing: Float64[np.ndarray, "s"], through: Float64[np.ndarray, "s"]) -> np.ndarray:
        return np.asarray(agreeing / np.maximum(agreeing + through, max(1.0, ENOUGH * self.points)))


def tally(
    first: View, second: View, T_second_first: Matrix4, units: Float[np.ndarray, "s"], thin: int = 1
) -> Tally:
    """Compare two views both ways under a motion (metres), for depth of each of `units` a metre."""
    there = _one_way(first.points[::thin], second, T_second_first, units)
    back = _one_way(second.points[::thin], first, invert(T_second_first), units)
    points = len(first.points[::thin]) + len(second.points[::thin])
    agreeing, near, through, through_5cm, hidden = (a + b for a, b in zip(there, back, strict=True))
    return Tally(agreeing, near, through, through_5cm, hidden, points)


def _one_way(
    points: Float64[np.ndarray, "n 3"], other: View, T: Matrix4, units: Float[np.ndarray, "s"]
) -> tuple[Float64[np.ndarray, "s"], ...]:
    # In stored units only the translation depends on the scale.
    per_m = np.asarray(units, dtype=np.float64)[:, None]
    p = (points @ T[:3, :3].T)[None] + (per_m * T[:3, 3])[:, None]
    z, measured = look_up(p, other.camera, other.depth)
    seen = measured > 0
    off = z - measured
    tolerance, metric = TOLERANCE * measured, TOLERANCE_M * per_m
    counts = (
        seen & (np.abs(off) < tolerance),
        seen & (np.abs(off) < metric),
        seen & (off <= -tolerance),
        seen & (off <= -metric),
        seen & (off >= tolerance),
    )
    return tuple(count.sum(axis=1).astype(np.float64) for count in counts)


def look_up(
    p: Float64[np.ndarray, "*n 3"], camera: Pinhole, depth: np.ndarray
) -> tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]:
    """Depth z of camera points, and what is measured at their nearest pixel; 0 where nothing is."""
    uv, z = camera.project(p)
    inside = camera.inside(uv)
    column, row = np.floor(uv[inside] + 0.5).astype(np.intp).T
    measured = np.zeros(z.shape)
    measured[inside] = depth[row, column]
    return z, measured
