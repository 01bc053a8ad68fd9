"""The pinhole camera: x right, y down, z forward; pixel (u, v) = (column, row), integers at pixel centres."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float, Float64


@dataclass(frozen=True, slots=True)
class Pinhole:
    """Size (pixels) and intrinsics (pixels) of an undistorted camera."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy)
        if (
            self.width < 1
            or self.height < 1
            or not np.isfinite(numbers).all()
            or self.fx <= 0
            or self.fy <= 0
        ):
            raise ValueError(f"not a camera: {self}; width, height, fx and fy must be positive, all finite")

    def matrix(self) -> Float64[np.ndarray, "3 3"]:
        """The intrinsic matrix K."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def intrinsics(self) -> tuple[float, float, float, float]:
        """fx, fy, cx, cy (pixels)."""
        return self.fx, self.fy, self.cx, self.cy

    def resized(self, width: int, height: int) -> Pinhole:
        """The camera of the resized image; a pixel coordinate c becomes (c + 0.5) s - 0.5 on each axis."""
        sx, sy = width / self.width, height / self.height
        return Pinhole(
            width, height, self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5
        )

    def with_intrinsics(self, intrinsics: tuple[float, float, float, float] | None) -> Pinhole:
        """The camera with other fx, fy, cx, cy (pixels); itself for None."""
        return self if intrinsics is None else Pinhole(self.width, self.height, *intrinsics)

    def project(
        self, p_cam: Float[np.ndarray, "*n 3"]
    ) -> tuple[Float64[np.ndarray, "*n 2"], Float64[np.ndarray, "*n"]]:
        """Pixel coordinates and depth z (m) of camera points; with z <= 0 the coordinates are NaN."""
        p = np.asarray(p_cam, dtype=np.float64)
        z = p[..., 2]
        safe = np.where(z > 0, z, np.nan)
        uv = np.stack([self.fx * p[..., 0] / safe + self.cx, self.fy * p[..., 1] / safe + self.cy], axis=-1)
        return uv, z.copy()

    def backproject(
        self, uv: Float[np.ndarray, "*n 2"], z: Float[np.ndarray, "*n"]
    ) -> Float64[np.ndarray, "*n 3"]:
        """Camera points (m) of pixels `uv` at depth `z` (m, along the optical axis)."""
        pixel, depth = np.asarray(uv, dtype=np.float64), np.asarray(z, dtype=np.float64)
        x = (pixel[..., 0] - self.cx) / self.fx * depth
        y = (pixel[..., 1] - self.cy) / self.fy * depth
        return np.stack([x, y, depth], axis=-1)

    def rays(self) -> Float64[np.ndarray, "{self.height} {self.width} 3"]:
        """Ray of every pixel centre with z = 1: times the depth image it gives the camera points."""
        x = (np.arange(self.width) - self.cx) / self.fx
        y = (np.arange(self.height) - self.cy) / self.fy
        rays = np.ones((self.height, self.width, 3))
        rays[..., 0] = x[None, :]
        rays[..., 1] = y[:, None]
        return rays

    def inside(self, uv: Float[np.ndarray, "*n 2"]) -> np.ndarray:
        """Which pixel coordinates fall in the image: [-0.5, size - 0.5) on each axis; NaN does not."""
        u, v = uv[..., 0], uv[..., 1]
        return (u >= -0.5) & (u < self.width - 0.5) & (v >= -0.5) & (v < self.height - 0.5)

    def to_dict(self) -> dict[str, int | float]:
        """Plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, int | float]) -> Pinhole:
        """The inverse of `to_dict`; a missing or unknown field is an error."""
        names = ("width", "height", "fx", "fy", "cx", "cy")
        if set(fields) != set(names):
            raise ValueError(f"a camera has the fields {', '.join(names)}; found {', '.join(sorted(fields))}")
        return cls(int(fields["width"]), int(fields["height"]), *(float(fields[name]) for name in names[2:]))

    @classmethod
    def from_matrix(cls, width: int, height: int, K: Float[np.ndarray, "r c"]) -> Pinhole:
        """From a 3x3 or 4x4 intrinsic matrix without skew, as ScanNet stores them."""
        if abs(float(K[0, 1])) > 1e-6 * abs(float(K[0, 0])):
            raise ValueError(
                f"the intrinsic matrix has skew {K[0, 1]}; only cameras without skew are supported"
            )
        return cls(width, height, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
