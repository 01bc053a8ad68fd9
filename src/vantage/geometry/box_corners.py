"""The orders in which others write a box's eight corners, and boxes from corners."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from vantage.core.errors import ContractError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.transforms import nearest_rotation

CornerOrder = Literal["omni3d", "binary"]
"""How eight corners follow each other, as signs along the box's own axes.

- `omni3d`: round the face of low z from the corner of low x and y, then the same on the face of high z. For a
  box turned like the camera (x right, y down, z forward): left-top-near, right-top-near, right-bottom-near,
  left-bottom-near, then the far ones. PyTorch3D's order, too.
- `binary`: x slowest, z fastest, low before high; `OrientedBox.corners` and ScanRefer's `bbox`.
"""

_SIGNS: Final[dict[str, Int64[np.ndarray, "8 3"]]] = {
    "omni3d": np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]),
    "binary": np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]),
}


def corners_of(boxes: OrientedBoxes, order: CornerOrder) -> Float64[np.ndarray, "n 8 3"]:
    """The eight corners (m) of each box, in an order by name."""
    local = _SIGNS[order] * boxes.size[:, None, :] / 2
    return np.asarray(local @ np.swapaxes(boxes.rotation, 1, 2) + boxes.center[:, None, :])


def boxes_of_corners(
    corners: Float[np.ndarray, "n 8 3"], order: CornerOrder, tolerance: float = 1e-4
) -> OrientedBoxes:
    """The boxes of eight corners (m) in an order by name.

    An edge without length has a direction that the other two give, or the frame's axes where they cannot.

    Raises:
        ContractError: naming the first row whose corners, in this order, are not those of a box: off by more
            than `tolerance` of the box's diagonal (coplanar faces and right angles included), not finite, or
            with the handedness of a mirror image.
    """
    given = np.asarray(corners, dtype=np.float64)
    _refuse(~np.isfinite(given), given, "finite corners")
    center = given.mean(axis=1)
    edges = np.einsum("ck,ncd->nkd", _SIGNS[order], given) / 4  # along x, y, z of the box
    size = np.linalg.norm(edges, axis=2)
    diagonal = np.linalg.norm(size, axis=1)
    rotation = np.array([_axes(e, s) for e, s in zip(edges, size, strict=True)]).reshape(-1, 3, 3)
    local = _SIGNS[order] * size[:, None, :] / 2
    rebuilt = local @ np.swapaxes(rotation, 1, 2) + center[:, None, :]
    off = np.abs(rebuilt - given)
    slack = tolerance * diagonal + 1e-12 * np.abs(center).max(axis=1)  # a point has no diagonal
    _refuse(off > slack[:, None, None], given, f"the corners of a box in the order {order!r}")
    return OrientedBoxes(center, size, rotation)


def omni3d_dimensions(size: Float[np.ndarray, "*n 3"]) -> Float64[np.ndarray, "*n 3"]:
    """Omni3D's `dimensions` (width, height, length; m) of edge lengths along the box's x, y, z, and back.

    Its own reader puts the length along x, the height along y and the width along z.
    """
    return np.asarray(size, dtype=np.float64)[..., ::-1].copy()


def _axes(edges: Float64[np.ndarray, "3 3"], size: Float64[np.ndarray, "3"]) -> Float64[np.ndarray, "3 3"]:
    """The rotation nearest to three edge vectors (rows); edges without length follow the others."""
    real = size > 1e-9 * max(float(size.max()), 1e-300)
    unit = np.where(real[:, None], edges / np.where(real, size, 1.0)[:, None], 0.0)
    if real.sum() == 2:
        missing = int(np.flatnonzero(~real)[0])
        unit[missing] = np.cross(unit[(missing + 1) % 3], unit[(missing + 2) % 3])
    elif real.sum() == 1:
        known = int(np.flatnonzero(real)[0])
        across = np.cross(unit[known], np.eye(3)[int(np.abs(unit[known]).argmin())])
        unit[(known + 1) % 3] = across / np.linalg.norm(across)
        unit[(known + 2) % 3] = np.cross(unit[known], unit[(known + 1) % 3])
    elif not real.any():
        unit = np.eye(3)
    return nearest_rotation(unit.T)


def _refuse(bad: Bool[np.ndarray, "n *k"], given: np.ndarray, expected: str) -> None:
    if bad.any():
        row = int(np.nonzero(bad)[0][0])
        raise ContractError(
            f"eight corners of {len(bad)} sets are no box",
            where=f"row {row}",
            expected=expected,
            found=given[row].round(6).tolist(),
            hint="a wrong order of corners looks like this, too: see CornerOrder",
        )
