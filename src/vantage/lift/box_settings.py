"""What counts as the object's surface when boxes are lifted from 2D."""

from __future__ import annotations

from dataclasses import dataclass

from vantage.core.errors import ParameterError


@dataclass(frozen=True)
class BoxSettings:
    """Tolerances of lifting; the defaults were chosen on generated rooms and hold for indoor depth cameras.

    Attributes:
        near_m, far_m: depth nearer or farther than these counts as a hole.
        noise_per_m2: times the square of the depth (m), what depth may be off by.
        steepest: tangent of the angle between a surface and the image plane; what is steeper is an edge.
        support: of its eight neighbours a pixel needs so many on its surface; a flying pixel has fewer.
        plane_tolerance_m: what is so near to a plane that goes on outside of a 2D box is not the object.
        voxel_m: edge of the cubes to which points are thinned, so that near views do not dominate.
        gap_m: points farther apart than this are other parts; parts may be this far from the largest times
            `part_gaps`, and need `part_share` of its size.
        spread_limit: a point is an outlier if the mean distance to its eight nearest exceeds the median of
            all by more than so many normal standard deviations (1.4826 times the median deviation).
        tail_share: of the points beyond each face of the box.
        min_points: with fewer there is no box.
        min_edge_m: no edge of a box is shorter; flat objects get this thickness.
    """

    near_m: float = 0.1
    far_m: float = 10.0
    noise_per_m2: float = 0.004
    steepest: float = 4.0
    support: int = 2
    plane_tolerance_m: float = 0.01
    voxel_m: float = 0.02
    gap_m: float = 0.1
    part_gaps: float = 3.0
    part_share: float = 0.1
    spread_limit: float = 5.0
    tail_share: float = 0.005
    min_points: int = 12
    min_edge_m: float = 0.02

    def __post_init__(self) -> None:
        positive = ("near_m", "steepest", "voxel_m", "gap_m", "spread_limit", "min_edge_m")
        for name in positive:
            if not getattr(self, name) > 0:
                raise ParameterError(
                    "a tolerance of no size", where=name, expected="above 0", found=getattr(self, name)
                )
        if not self.near_m < self.far_m:
            raise ParameterError(
                "no depth is in range", where="far_m", expected=f"above {self.near_m}", found=self.far_m
            )
        if not 0 <= self.tail_share < 0.5:
            raise ParameterError(
                "not a share of a tail", where="tail_share", expected="0 to 0.5", found=self.tail_share
            )
        if self.min_points < 4:
            raise ParameterError(
                "too few points for a box", where="min_points", expected="4 or more", found=self.min_points
            )
