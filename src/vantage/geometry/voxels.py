"""Voxels as integer keys."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int64

_BITS = 21
_HALF = 1 << (_BITS - 1)


def voxel_keys(points: Float[np.ndarray, "n 3"], size: float) -> Int64[np.ndarray, "n"]:
    """One key for each point: that of the cube of edge `size` (m) it falls in (floor binning).

    Two points have the same key if and only if they share a voxel; keys are never negative.
    Raises ValueError for a point that is not finite or more than 2^20 voxels from the origin.
    """
    if size <= 0:
        raise ValueError(f"the voxel size must be positive, found {size}")
    index = np.floor(np.asarray(points, dtype=np.float64) / size)
    if not (np.abs(index) < _HALF).all():
        raise ValueError(f"points beyond {_HALF * size:.0f} m of the origin, or not finite, have no voxel")
    cells = index.astype(np.int64) + _HALF
    keys: np.ndarray = (cells[:, 0] << (2 * _BITS)) | (cells[:, 1] << _BITS) | cells[:, 2]
    return keys
