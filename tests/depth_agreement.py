"""Do two frames see the same surface? One measure that tests poses, intrinsics and depth scale together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert
from vantage.records.frames import Frame
from vantage.records.scan import ScanMeta
from vantage.scans.diagnosis.measure import TOLERANCE_M
from vantage.scans.pixels import read_depth


@dataclass(frozen=True)
class PairAgreement:
    """How well frame `first`, seen from frame `second`, fits the depth measured there.

    Attributes:
        shared: pixels of `first` that land on a measured pixel of `second`.
        share: of those, the share whose depth differs by less than the tolerance; NaN without shared pixels.
    """

    first: int
    second: int
    shared: int
    share: float


def depth_agreement(
    raw_dir: Path,
    frames: Sequence[Frame],
    meta: ScanMeta,
    pairs: Iterable[tuple[int, int]] | None = None,
    tolerance_m: float = TOLERANCE_M,
) -> list[PairAgreement]:
    """Compare the depth of pairs of frames: positions in `frames`, by default each with the next.

    Poses of all frames used must be rigid. A surface that one of the two sees and the other does not (it is
    hidden there) counts as disagreement, so that the figure falls with the distance between the cameras.
    """
    chosen = list(pairs) if pairs is not None else [(k, k + 1) for k in range(len(frames) - 1)]
    depths = {k: read_depth(raw_dir, meta, frames[k]) for k in sorted({k for pair in chosen for k in pair})}
    results = []
    for i, j in chosen:
        T_j_i = invert(frames[j].T_raw_cam) @ frames[i].T_raw_cam
        cameras = meta.depth_of(frames[i]), meta.depth_of(frames[j])
        shared, agreeing = compare_depth(depths[i], depths[j], *cameras, T_j_i, tolerance_m)
        share = agreeing / shared if shared else float("nan")
        results.append(PairAgreement(frames[i].frame_id, frames[j].frame_id, shared, share))
    return results


def compare_depth(
    depth_i: Float32[np.ndarray, "h w"],
    depth_j: Float32[np.ndarray, "h w"],
    camera_i: Pinhole,
    camera_j: Pinhole,
    T_j_i: Float[np.ndarray, "4 4"],
    tolerance_m: float = TOLERANCE_M,
) -> tuple[int, int]:
    """Pixels of i that land on a measured pixel of j, and how many of them agree (metres, holes 0)."""
    v, u = np.nonzero(depth_i)
    uv = np.stack([u, v], axis=1).astype(np.float64)
    p_j = apply(T_j_i, camera_i.backproject(uv, depth_i[v, u].astype(np.float64)))
    uv_j, z = camera_j.project(p_j)
    inside = camera_j.inside(uv_j)
    column, row = np.floor(uv_j[inside] + 0.5).astype(np.intp).T
    measured = depth_j[row, column]
    seen = measured > 0
    agreeing = np.abs(z[inside][seen] - measured[seen]) < tolerance_m
    return int(seen.sum()), int(agreeing.sum())


def median_share(results: Iterable[PairAgreement], min_shared: int = 500) -> tuple[float, int]:
    """Median share over the pairs that share at least `min_shared` pixels, and how many those are."""
    shares = [r.share for r in results if r.shared >= min_shared]
    return (float(np.median(shares)) if shares else float("nan")), len(shares)
