"""Many oriented boxes as arrays, checked once for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from vantage.core.errors import ContractError
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import apply, nearest_rotation

ORTHONORMAL = 1e-4  # rotations read from text or from float32 files are this close


@dataclass(frozen=True, eq=False)
class OrientedBoxes:
    """Oriented boxes, all in one frame.

    Attributes:
        center: metres.
        size: full edge lengths along the boxes' own axes, metres; 0 is allowed.
        rotation: box axes as columns; right-handed, orthonormal within 1e-4.

    `ContractError`, naming the first such row, for numbers that are not finite, a negative size, a volume
    that no float holds, or a matrix that is not a rotation.
    """

    center: Float64[np.ndarray, "n 3"]
    size: Float64[np.ndarray, "n 3"]
    rotation: Float64[np.ndarray, "n 3 3"]

    def __post_init__(self) -> None:
        for name in ("center", "size", "rotation"):
            values: np.ndarray = getattr(self, name)
            _refuse(~np.isfinite(values), values, f"a {name} that is not finite", "finite numbers")
        _refuse(self.size < 0, self.size, "a negative edge length", "metres, 0 or more")
        with np.errstate(over="ignore"):
            _refuse(~np.isfinite(self.volumes()), self.size, "a volume beyond all floats", "metres")
        products = np.swapaxes(self.rotation, 1, 2) @ self.rotation
        skewed = np.abs(products - np.eye(3)) > ORTHONORMAL
        _refuse(skewed, self.rotation, "axes that are not orthonormal", f"orthonormal within {ORTHONORMAL}")
        mirrored = np.linalg.det(self.rotation) < 0
        _refuse(mirrored, self.rotation, "left-handed axes", "a rotation, determinant 1")

    def __len__(self) -> int:
        return len(self.center)

    @classmethod
    def of(cls, boxes: Sequence[OrientedBox]) -> OrientedBoxes:
        """The boxes of a sequence, in its order."""
        return cls(
            np.array([box.center for box in boxes], dtype=np.float64).reshape(-1, 3),
            np.array([box.size for box in boxes], dtype=np.float64).reshape(-1, 3),
            np.array([box.rotation for box in boxes], dtype=np.float64).reshape(-1, 3, 3),
        )

    @classmethod
    def upright(cls, center: Float[np.ndarray, "n 3"], size: Float[np.ndarray, "n 3"]) -> OrientedBoxes:
        """Boxes along the axes of their frame."""
        rotation = np.broadcast_to(np.eye(3), (len(center), 3, 3)).copy()
        return cls(np.asarray(center, dtype=np.float64), np.asarray(size, dtype=np.float64), rotation)

    def __getitem__(self, row: int) -> OrientedBox:
        return OrientedBox(self.center[row], self.size[row], self.rotation[row])

    def volumes(self) -> Float64[np.ndarray, "n"]:
        """Cubic metres."""
        return np.asarray(self.size.prod(axis=1))

    def axes(self) -> Float64[np.ndarray, "n 3 3"]:
        """The rotations, orthonormal to the last bits (two Newton steps towards the polar factor)."""
        R = self.rotation
        for _ in range(2):
            R = R @ (3 * np.eye(3) - np.swapaxes(R, 1, 2) @ R) / 2
        return np.ascontiguousarray(R)

    def transformed(self, T_a_b: Float[np.ndarray, "4 4"]) -> OrientedBoxes:
        """These boxes of frame b in frame a."""
        R = nearest_rotation(T_a_b[:3, :3])  # a pose read from text is a rotation within 1e-3 only
        return OrientedBoxes(apply(T_a_b, self.center), self.size.copy(), R @ self.rotation)


def _refuse(bad: Bool[np.ndarray, "n *k"], values: np.ndarray, what: str, expected: str) -> None:
    if bad.any():
        row = int(np.nonzero(bad)[0][0])
        raise ContractError(
            f"box {row} of {len(bad)} has {what}",
            where=f"row {row}",
            expected=expected,
            found=values[row].tolist(),
            hint="drop or repair the box before it is scored",
        )
