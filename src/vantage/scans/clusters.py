"""Points that hang together, and strays apart from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from vantage.geometry.voxels import voxel_keys

#: Edge (m) of the cells that hang together when they touch, if only at a corner.
CELL_M = 0.05
#: A cluster of less than this share of the largest one's points is a stray.
LEAST_SHARE = 0.1


def hangs_together(points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """Which points (m) belong to the largest cluster, or to one not much smaller.

    A thing seen in two halves keeps both; what a mask spills onto the wall behind it falls away.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(points):
        return np.zeros(0, dtype=bool)
    local = np.asarray(points, dtype=np.float64) - points.min(axis=0)
    _, first, cell = np.unique(voxel_keys(local, CELL_M), return_index=True, return_inverse=True)
    places = np.floor(local[first] / CELL_M)
    tree: Any = cKDTree(places)
    a, b = tree.query_pairs(1.8, output_type="ndarray").T  # up to the square root of 3: 26 neighbours
    shape = (len(first), len(first))
    touching = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=shape)
    _, cluster = connected_components(touching, directed=False)
    sizes = np.bincount(cluster[cell])
    kept: np.ndarray = (sizes >= LEAST_SHARE * sizes.max())[cluster[cell]]
    return kept
