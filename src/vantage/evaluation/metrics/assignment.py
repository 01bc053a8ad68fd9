"""The assignment of rows to columns with the highest total, without SciPy (no part of the `train` extra)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


def best_assignment(
    gain: Float64[np.ndarray, "n m"],
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Rows and columns of the pairs with the highest total gain, as many as the shorter side has.

    Source: shortest augmenting paths with potentials; Jonker and Volgenant, Computing 38 (1987).
    """
    n, m = gain.shape
    if n > m:
        columns, rows = best_assignment(np.ascontiguousarray(gain.T))
        order = np.argsort(rows)
        return rows[order], columns[order]
    cost = -gain
    u, v = np.zeros(n), np.zeros(m)
    row_of = np.full(m, -1)
    for row in range(n):
        column, way = _augmenting_path(cost, u, v, row_of, row)
        while column >= 0:
            previous = way[column]
            row_of[column] = row if previous < 0 else row_of[previous]
            column = previous
    columns = np.flatnonzero(row_of >= 0)
    order = np.argsort(row_of[columns])
    return row_of[columns][order], columns[order]


def _augmenting_path(
    cost: np.ndarray, u: np.ndarray, v: np.ndarray, row_of: np.ndarray, start: int
) -> tuple[int, np.ndarray]:
    """The free column that a shortest path from a row ends at, and the column before each one on it."""
    m = cost.shape[1]
    shortest, way = np.full(m, np.inf), np.full(m, -1)
    done = np.zeros(m, dtype=bool)
    row, here, column, reached = start, 0.0, -1, [start]
    while True:
        reduced = here + cost[row] - u[row] - v
        better = ~done & (reduced < shortest)
        shortest[better], way[better] = reduced[better], column
        column = int(np.where(done, np.inf, shortest).argmin())
        here = float(shortest[column])
        if row_of[column] < 0:
            break
        done[column] = True
        row = int(row_of[column])
        reached.append(row)
    u[start] += here
    inside = np.flatnonzero(done)
    u[row_of[inside]] += here - shortest[inside]
    v[inside] -= here - shortest[inside]
    return column, way
