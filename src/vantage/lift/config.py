"""Parameters of the `lift` stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True)
class LiftConfig:
    """What the `lift` stage makes.

    Attributes:
        source: where depth comes from: `depth` is the sensor's images, `cloud` the scan's points, hidden ones
            left out, `mesh` rays cast at its mesh.
        source_width: columns of the depth images made of a cloud or mesh, which see what the colour camera
            sees; 0 for as many as the depth camera has.
        image_size: edge (pixels) of the square image the model sees.
        patch_size: edge (pixels) of the model's patches; divides `image_size`.
        min_valid_share: a patch with a smaller share of measured depth pixels has no point.
        views: views in a scan's general view set.
        voxel_m: edge (m) of the voxels that view sets cover.
        coverage_stride: every so many rows and columns of a depth image count for coverage.
    """

    source: Literal["depth", "cloud", "mesh"] = "depth"
    source_width: Annotated[int, Ge(0)] = 0
    image_size: Annotated[int, Ge(1)] = 64
    patch_size: Annotated[int, Ge(1)] = 8
    min_valid_share: Annotated[float, Ge(0.0), Le(1.0)] = 0.1
    views: Annotated[int, Ge(1)] = 8
    voxel_m: Annotated[float, Gt(0.0)] = 0.1
    coverage_stride: Annotated[int, Ge(1)] = 4

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches in an image."""
        side = self.image_size // self.patch_size
        return side, side
