"""Point masks out of prediction records: indices or run lengths, over the vertices of the scene's mesh."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.metrics.masks import Indices, from_runs


def read_mask(row: Record) -> Indices | None:
    """The points of `mask`: a list of indices, or `{"counts": [off, on, ...]}`; None if there is none."""
    value = row.fields.get("mask")
    if value is None:
        return None
    runs = value.get("counts") if isinstance(value, Mapping) else None
    listed = value if runs is None else runs
    if not isinstance(listed, list) or not all(isinstance(k, int) and k >= 0 for k in listed):
        raise row.error(
            "a list of point indices in mask, or its run lengths in mask.counts", repr(value)[:80]
        )
    if runs is not None:
        return from_runs(runs)
    points = np.array(listed, dtype=np.int64)
    if len(np.unique(points)) != len(points):
        raise row.error("every point once in mask", "a point twice")
    return points
