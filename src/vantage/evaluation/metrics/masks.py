"""Masks over a scene's points: indices or run lengths in, IoU out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64

Indices = Int64[np.ndarray, " k"]


def from_runs(counts: Sequence[int]) -> Indices:
    """Point indices of run lengths: off, on, off, on, ... from point 0 (COCO's uncompressed counts).

    Raises:
        ValueError: a negative length.
    """
    lengths = np.asarray(counts, dtype=np.int64)
    if (lengths < 0).any():
        raise ValueError("a run of negative length")
    return np.flatnonzero(np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)).astype(np.int64)


def mask_iou(a: Int64[np.ndarray, " k"], b: Int64[np.ndarray, " m"]) -> float:
    """IoU of two sets of points; 1 if both are empty, as published for queries without a target."""
    both = len(np.intersect1d(a, b))
    union = len(np.union1d(a, b))
    return 1.0 if union == 0 else both / union


def as_indices(mask: Bool[np.ndarray, " n"]) -> Indices:
    """The points that a mask holds."""
    return np.flatnonzero(mask).astype(np.int64)
