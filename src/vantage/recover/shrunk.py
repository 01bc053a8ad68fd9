"""The camera of PoseRecover's depth buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from vantage.geometry.camera import Pinhole


@dataclass(frozen=True)
class ShrunkCamera:
    """A camera as PoseRecover shrinks it: all four intrinsics times a factor, sizes truncated."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of(cls, camera: Pinhole, shrink: float) -> ShrunkCamera:
        """Corner convention (c' = c s), unlike `Pinhole.resized`, as published."""
        size = (int(camera.width * shrink), int(camera.height * shrink))
        return cls(*size, camera.fx * shrink, camera.fy * shrink, camera.cx * shrink, camera.cy * shrink)

    def intrinsics(self) -> Float64[np.ndarray, "4"]:
        """fx, fy, cx, cy in pixels."""
        return np.array([self.fx, self.fy, self.cx, self.cy])
