"""Point masks out of prediction records: indices or run lengths, over the vertices of the scene's mesh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.metrics.masks import Indices, from_runs

MOST_POINTS = 1 << 24
"""Of a scene's mesh; ScanNet's largest has not a tenth of it. A few run lengths can stand for any number."""


def read_mask(row: Record) -> Indices | None:
    """The points of `mask`: a list of indices, or `{"counts": [off, on, ...]}`; None if there is none."""
    value = row.fields.get("mask")
    if value is None:
        return None
    runs = value.get("counts") if isinstance(value, Mapping) else None
    listed = value if runs is None else runs
    if not isinstance(listed, list) or not all(type(k) is int and 0 <= k < MOST_POINTS for k in listed):
        raise row.error(
            f"a list of point indices in mask, or its run lengths in mask.counts, up to {MOST_POINTS}",
            repr(value)[:80],
        )
    if runs is not None:
        if sum(runs) > MOST_POINTS:
            raise row.error(f"run lengths of a scene's points, at most {MOST_POINTS} in all", f"{sum(runs)}")
        return from_runs(runs)
    points = np.array(listed, dtype=np.int64)
    if len(np.unique(points)) != len(points):
        raise row.error("every point once in mask", "a point twice")
    return points
