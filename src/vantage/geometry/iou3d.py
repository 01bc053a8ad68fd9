"""Intersection over union of boxes in 3D. Both boxes of a pair are in one frame."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ContractError
from vantage.geometry.box_batch import OrientedBoxes

SCANREFER_EPSILON_M3 = 1e-8
"""What ScanRefer's and Scan2Cap's scorers add to the union. A true IoU of 0.25 misses the threshold by it."""

_CHUNK = 8192  # pairs a thread takes at once


def overlap_pairs(a: OrientedBoxes, b: OrientedBoxes, threads: int = 2) -> Float64[np.ndarray, "n"]:
    """Volume (cubic metres) that box n of `a` shares with box n of `b`, exact but for rounding.

    `ContractError` unless both have the same number of boxes.
    """
    _require_as_many(len(a), len(b))
    return _overlaps(a, b, columns=0, count=len(a), threads=threads)


def overlap_matrix(a: OrientedBoxes, b: OrientedBoxes, threads: int = 2) -> Float64[np.ndarray, "n m"]:
    """Volume (cubic metres) that each box of `a` (rows) shares with each of `b` (columns)."""
    count = len(a) * len(b)
    return _overlaps(a, b, columns=len(b), count=count, threads=threads).reshape(len(a), len(b))


def iou_pairs(a: OrientedBoxes, b: OrientedBoxes, threads: int = 2) -> Float64[np.ndarray, "n"]:
    """IoU of box n of `a` with box n of `b`; 0 where either has no volume.

    `ContractError` unless both have the same number of boxes.
    """
    return _over_union(overlap_pairs(a, b, threads), a.volumes(), b.volumes())


def iou_matrix(a: OrientedBoxes, b: OrientedBoxes, threads: int = 2) -> Float64[np.ndarray, "n m"]:
    """IoU of each box of `a` (rows) with each of `b` (columns); 0 where either has no volume."""
    return _over_union(overlap_matrix(a, b, threads), a.volumes()[:, None], b.volumes()[None, :])


def extent_iou(
    low_a: Float[np.ndarray, "*n 3"],
    high_a: Float[np.ndarray, "*n 3"],
    low_b: Float[np.ndarray, "*n 3"],
    high_b: Float[np.ndarray, "*n 3"],
    epsilon_m3: float = 0.0,
) -> Float64[np.ndarray, "*n"]:
    """IoU of axis-aligned boxes from their lowest and highest corners (m); 0 where the union is.

    `epsilon_m3` is added to the union, as some published scorers do. `ContractError` for numbers that are not
    finite or a highest corner below the lowest.
    """
    corners = [np.asarray(part, dtype=np.float64) for part in (low_a, high_a, low_b, high_b)]
    _require_extents("first", corners[0], corners[1])
    _require_extents("second", corners[2], corners[3])
    low = np.maximum(corners[0], corners[2])
    shared = np.clip(np.minimum(corners[1], corners[3]) - low, 0.0, None)
    edges = (shared, corners[1] - corners[0], corners[3] - corners[2])
    volume, volume_a, volume_b = (np.asarray(edge.prod(axis=-1)) for edge in edges)
    return _over_union(volume, volume_a, volume_b, epsilon_m3)


def center_size_iou(
    a: Float[np.ndarray, "*n 6"], b: Float[np.ndarray, "*n 6"], epsilon_m3: float = 0.0
) -> Float64[np.ndarray, "*n"]:
    """IoU of axis-aligned boxes as centre and size (m), Scan2Cap's `locs`; see `extent_iou`.

    Scan2Cap's published scorer is the one with `epsilon_m3=SCANREFER_EPSILON_M3`.
    """
    p, q = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    half_p, half_q = p[..., 3:] / 2, q[..., 3:] / 2
    return extent_iou(
        p[..., :3] - half_p, p[..., :3] + half_p, q[..., :3] - half_q, q[..., :3] + half_q, epsilon_m3
    )


def corner_extent_iou(
    a: Float[np.ndarray, "*n 8 3"], b: Float[np.ndarray, "*n 8 3"], epsilon_m3: float = 0.0
) -> Float64[np.ndarray, "*n"]:
    """IoU of the axis-aligned extents of eight corners (m) in any order, ScanRefer's `bbox`.

    It is axis-aligned even where the corners are of turned boxes, as the published scorer is; that scorer is
    the one with `epsilon_m3=SCANREFER_EPSILON_M3`. See `extent_iou`; for turned boxes `iou_pairs` is exact.
    """
    p, q = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return extent_iou(p.min(axis=-2), p.max(axis=-2), q.min(axis=-2), q.max(axis=-2), epsilon_m3)


def _overlaps(
    a: OrientedBoxes, b: OrientedBoxes, *, columns: int, count: int, threads: int
) -> Float64[np.ndarray, "{count}"]:
    from vantage.geometry.box_overlap import fill_overlaps

    out = np.empty(count)
    rows_a, rows_b = _rows(a), _rows(b)

    def fill(start: int) -> None:
        fill_overlaps(rows_a, rows_b, columns, start, out[start : start + _CHUNK])

    starts = range(0, count, _CHUNK)
    if threads == 1 or len(starts) < 2:
        for start in starts:
            fill(start)
    else:  # threads, since the kernel releases the interpreter's lock; they survive forked workers
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, starts))
    return out


def _rows(boxes: OrientedBoxes) -> Float64[np.ndarray, "n 16"]:
    parts = [boxes.volumes()[:, None], boxes.center, boxes.size / 2, boxes.axes().reshape(-1, 9)]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def _over_union(
    shared: np.ndarray, volume_a: np.ndarray, volume_b: np.ndarray, epsilon_m3: float = 0.0
) -> np.ndarray:
    union = np.asarray(volume_a + volume_b - shared + epsilon_m3)
    ratio = np.zeros_like(union)
    np.divide(shared, union, out=ratio, where=union > 0)
    return ratio


def _require_as_many(n: int, m: int) -> None:
    if n != m:
        raise ContractError(
            "pairs of boxes need as many boxes on either side",
            expected=f"{n} boxes",
            found=f"{m}",
            hint="for every box with every other use the matrix",
        )


def _require_extents(side: str, low: np.ndarray, high: np.ndarray) -> None:
    finite = np.isfinite(low) & np.isfinite(high)
    bad = ~(finite & (high >= low)).all(axis=-1)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        pair = low.reshape(-1, 3)[row].tolist(), high.reshape(-1, 3)[row].tolist()
        raise ContractError(
            f"a {side} box is not finite or has a negative edge",
            where=f"row {row}",
            expected="finite corners, the highest not below the lowest",
            found=f"{pair[0]} to {pair[1]}",
        )
