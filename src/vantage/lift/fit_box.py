"""The box around trimmed points: upright or free, its faces at percentiles, never without thickness."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.boxes import OrientedBox, fit_upright_box
from vantage.geometry.transforms import nearest_rotation

Fit = Literal["upright", "free", "principal"]
"""How a box may turn.

- `upright`: about z alone; the rectangle of smallest area seen from above, exact by rotating calipers.
- `free`: Open3D's box of small volume, a side on each face of the convex hull in turn.
- `principal`: along the principal axes of the points.
"""


def fit_box(points: Float[np.ndarray, "n 3"], fit: Fit, tail_share: float, min_edge_m: float) -> OrientedBox:
    """The box of `points` (m), in their frame.

    Its axes are those of the fit over all points; along each, the share `tail_share` of them may lie beyond
    either face (rounded down, so few points lose none). Edges shorter than `min_edge_m`, those of flat or
    straight things, grow to it about their middle.

    Raises ContractError: no points, or one that is not finite.
    """
    p = np.asarray(points, dtype=np.float64)
    if not len(p) or not np.isfinite(p).all():
        raise ContractError("no box without points, all finite", found=f"{len(p)} points")
    R = _axes(p, fit)
    local = np.sort(p @ R, axis=0)
    beyond = int(tail_share * len(p))
    low, high = local[beyond], local[len(p) - 1 - beyond]
    return OrientedBox(R @ ((low + high) / 2), np.maximum(high - low, min_edge_m), R)


def _axes(p: Float64[np.ndarray, "n 3"], fit: Fit) -> Float64[np.ndarray, "3 3"]:
    if fit == "upright":
        return fit_upright_box(p).rotation
    if fit == "principal":
        return _principal(p)
    if fit == "free":
        return _smallest(p)
    raise ParameterError("unknown fit", where="fit", expected="upright, free or principal", found=fit)


def _principal(p: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "3 3"]:
    """Principal axes, the longest first."""
    q = p - p.mean(axis=0)
    _, axes = np.linalg.eigh(q.T @ q)
    R = np.ascontiguousarray(axes[:, ::-1])
    R *= np.where(R[np.abs(R).argmax(axis=0), range(3)] < 0, -1.0, 1.0)  # eigenvectors come in either sense
    R[:, 2] = np.cross(R[:, 0], R[:, 1])
    return R


def _smallest(p: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "3 3"]:
    """Axes of the smallest box with a side on a face of the hull; principal ones for what has no hull."""
    import open3d as o3d

    spread = np.linalg.svd(p - p.mean(axis=0), compute_uv=False)
    if len(p) < 4 or spread[2] <= 1e-6 * max(float(spread[0]), 1e-12):
        return _principal(p)
    cloud = o3d.utility.Vector3dVector(p)
    # It warns of candidates that it passes over.
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        found = o3d.geometry.OrientedBoundingBox.create_from_points_minimal(cloud)
    R = np.array(found.R, dtype=np.float64)
    if np.linalg.det(R) < 0:
        R[:, 2] *= -1
    return nearest_rotation(R)
