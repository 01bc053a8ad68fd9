"""How good a lifted box is: what was counted on the way, and the IoU to expect from that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float64

from vantage.geometry.boxes import OrientedBox

INTERCEPT = 2.48
WEIGHTS = {
    "few points": -4.04, "trimmed": -1.6, "contradicted": -0.49, "sides cut": -2.56, "hidden border": -1.33,
    "extent unseen": -1.79, "bare boxes": -0.15, "flat": -5.9,
}  # fmt: skip
"""Of `features`."""


@dataclass(frozen=True)
class Evidence:
    """Raw counts of a lifted box, over all its views together.

    Attributes:
        views: views with the object; `bare_boxes` of them without a mask.
        pixels: depth pixels in the regions, holes included.
        measured: those with depth in range.
        flying: measured ones on no surface (depth edges, flying pixels).
        background: others in the regions that are not the object but go on outside.
        contradicted: points that other views contradict.
        thinned: points after thinning to voxels; `trimmed` of them dropped as other parts or outliers.
        points: points behind the box, before thinning.
        sides_cut: sides of the region that the image's border may have cut off, in the view with fewest.
        hidden_border: share of the object's outline in the depth image along which what is beside it is
            nearer, so that it may go on behind; in the view with least.
        extent_seen: sine of the smallest angle between an edge of the box and the lines of sight, the best
            view of each edge: 0 if all look along it and cannot tell its length, 1 if each is seen square on.
    """

    views: int
    bare_boxes: int
    pixels: int
    measured: int
    flying: int
    background: int
    sides_cut: int
    hidden_border: float
    contradicted: int = 0
    thinned: int = 0
    trimmed: int = 0
    points: int = 0
    extent_seen: float = 0.0

    def to_dict(self) -> dict[str, int | float]:
        """Plain numbers, for JSON."""
        return asdict(self)


def extent_seen(box: OrientedBox, places: Sequence[Float64[np.ndarray, "3"]]) -> float:
    """`Evidence.extent_seen` of a box seen from `places` (m, the box's world)."""
    sight = np.array([box.center - place for place in places])
    length = np.linalg.norm(sight, axis=1, keepdims=True)
    cosine = np.abs(sight / np.where(length > 0, length, 1.0) @ box.rotation)  # (views, axes)
    return float(np.sqrt(np.clip(1 - cosine**2, 0, 1)).max(axis=0).min())


def features(evidence: Evidence, box: OrientedBox) -> dict[str, float]:
    """The numbers that the confidence is made of; each of them lowers it.

    `flat`: near 1 where the shortest edge is far below 10 cm, as when one face of the object was seen alone.
    """
    e = evidence
    return {
        "few points": math.sqrt(10 / max(e.thinned - e.trimmed, 1)),
        "trimmed": e.trimmed / max(e.thinned, 1),
        "contradicted": e.contradicted / max(e.contradicted + e.points, 1),
        "sides cut": e.sides_cut / 4,
        "hidden border": e.hidden_border,
        "extent unseen": 1 - e.extent_seen,
        "bare boxes": e.bare_boxes / e.views,
        "flat": math.exp(-float(box.size.min()) / 0.1),
    }


def confidence_of(evidence: Evidence, box: OrientedBox) -> float:
    """The 3D IoU with the object's true box to expect of a lifted box, 0 to 1.

    A logistic function of `features`, fitted to the IoU of generated rooms by `python
    benchmarks/geometry/boxes_from_2d.py --fit`. Holes and flying pixels are no features: by themselves they
    tell nothing about the IoU there.
    """
    terms = (WEIGHTS[name] * value for name, value in features(evidence, box).items())
    return 1 / (1 + math.exp(-(INTERCEPT + sum(terms))))
