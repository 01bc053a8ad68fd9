"""The scan's points in small groups, a sphere around each, so that a pose need not look at all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

#: Edge of a cell (m). Results do not depend on it.
CELL_M = 0.3
_FAR = float(1 << 20)


@dataclass(frozen=True)
class Cells:
    """Points of a scan, those of one cell of space beside each other.

    Attributes:
        coord: metres.
        column: index of each point's object.
        starts: first point of each cell; the last entry is the number of points.
        spheres: centre and radius (m) of a sphere around each cell's points.
    """

    coord: Float32[np.ndarray, "n 3"]
    column: Int32[np.ndarray, "n"]
    starts: Int64[np.ndarray, "cells_and_1"]
    spheres: Float64[np.ndarray, "cells 4"]

    @classmethod
    def of(cls, coord: Float32[np.ndarray, "n 3"], column: Int64[np.ndarray, "n"]) -> Cells:
        """Group finite points; those beyond a million cells from the origin share the outermost ones."""
        index = np.clip(np.floor(coord / np.float32(CELL_M)), -_FAR, _FAR - 1).astype(np.int64) + (1 << 20)
        keys = (index[:, 0] << 42) | (index[:, 1] << 21) | index[:, 2]
        order = np.argsort(keys, kind="stable")
        coord, keys = np.ascontiguousarray(coord[order]), keys[order]
        first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][: len(keys)])
        if not len(first):
            return cls(coord, column.astype(np.int32), np.zeros(1, np.int64), np.zeros((0, 4)))
        exact = coord.astype(np.float64)
        center = (np.minimum.reduceat(exact, first) + np.maximum.reduceat(exact, first)) / 2
        sizes = np.diff(np.r_[first, len(keys)])
        distance = np.linalg.norm(exact - np.repeat(center, sizes, axis=0), axis=1)
        spheres = np.c_[center, np.maximum.reduceat(distance, first)]
        return cls(coord, column[order].astype(np.int32), np.r_[first, len(keys)], spheres)
