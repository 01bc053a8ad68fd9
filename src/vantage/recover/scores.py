"""What a way of scoring answers: a number for every pose and object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, Int64


@dataclass(frozen=True)
class Scores:
    """Scores of poses (rows) against objects (columns).

    Attributes:
        object_ids: sorted.
        score: share of all of an object's points that the pose sees; for data without points, as documented
            by the function that made them.
        in_view: share of all of an object's points in the picture, hidden ones included. `score / in_view` is
            the unoccluded share of what is in the picture.
    """

    object_ids: Int64[np.ndarray, "ids"]
    score: Float32[np.ndarray, "p ids"]
    in_view: Float32[np.ndarray, "p ids"]


def column_of(
    instance: Int32[np.ndarray, "n"], object_ids: Int64[np.ndarray, "ids"]
) -> Int64[np.ndarray, "n"]:
    """Column of each point's object in the sorted `object_ids`; -1 for a point of none of them."""
    if len(object_ids) == 0:
        return np.full(len(instance), -1)
    place = np.minimum(np.searchsorted(object_ids, instance), len(object_ids) - 1)
    return np.where(object_ids[place] == instance, place, -1)
