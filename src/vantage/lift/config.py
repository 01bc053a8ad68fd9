"""Parameters of the `lift` stage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from vantage.geometry.warp import ImageWarp, squash
from vantage.lift.depth_config import DepthConfig

ViewStrategy = Literal["coverage", "uniform", "random"]


@dataclass(frozen=True)
class GoodViews:
    """What a kept frame must have to be a view of a general view set; all may be, if no frame has it.

    The defaults are the bounds of `extract`, so that every kept frame may. Attributes:
        min_depth_valid_share: share of measured depth pixels.
        min_blur: variance of the Laplacian, at 320 pixels on the longer side; a sharp frame of a furnished
            room has some hundreds.
        min_exposure, max_exposure: bounds of the mean grey, 0 to 1.
    """

    min_depth_valid_share: Annotated[float, Ge(0.0), Le(1.0)] = 0.1
    min_blur: Annotated[float, Ge(0.0)] = 10.0
    min_exposure: Annotated[float, Ge(0.0), Le(1.0)] = 0.03
    max_exposure: Annotated[float, Ge(0.0), Le(1.0)] = 0.97

    def __post_init__(self) -> None:
        if self.min_exposure > self.max_exposure:
            raise ValueError(f"min_exposure {self.min_exposure} is over max_exposure {self.max_exposure}")


@dataclass(frozen=True)
class LiftConfig:
    """What the `lift` stage makes.

    Attributes:
        processor: `squash` shows the model the whole colour image in a square of `image_size`. Or a mapping:
            the settings of the model's image processor as its `preprocessor_config.json` has them
            (`image_processor_type`, and what is not stock), and `patch_size`.
        views_together: views that the model is shown together; some processors tile one alone.
        image_size: edge (pixels) of `squash`'s square image.
        patch_size: edge (pixels) of the model's patches with `squash`; divides `image_size`.
        min_valid_share: a patch with a smaller share of measured depth pixels has no point.
        views: views in a scan's general view set.
        voxel_m: edge (m) of the voxels that view sets cover.
        coverage_stride: every so many rows and columns of a depth image count for coverage.
        depth: where depth comes from.
        view_strategy: how view sets are chosen: by `coverage` of voxels, or for comparison `uniform` (evenly
            over the path, both ends among them) or `random` (seeded).
        good_views: which kept frames may be views of the general view set.
    """

    processor: Literal["squash"] | dict[str, Any] = "squash"
    views_together: Annotated[int, Ge(1)] = 4
    image_size: Annotated[int, Ge(1)] = 64
    patch_size: Annotated[int, Ge(1)] = 8
    min_valid_share: Annotated[float, Ge(0.0), Le(1.0)] = 0.1
    views: Annotated[int, Ge(1)] = 8
    voxel_m: Annotated[float, Gt(0.0)] = 0.1
    coverage_stride: Annotated[int, Ge(1)] = 4
    depth: DepthConfig = field(default_factory=DepthConfig)
    view_strategy: ViewStrategy = "coverage"
    good_views: GoodViews = field(default_factory=GoodViews)

    def __post_init__(self) -> None:
        if self.image_size % self.patch_size:
            raise ValueError(f"patch_size {self.patch_size} does not divide image_size {self.image_size}")
        if self.processor != "squash":
            from vantage.lift.processors.table import known

            known(self.processor)

    @property
    def view_bounds(self) -> GoodViews:
        """`good_views`; an estimator's frames need no recorded depth."""
        if self.depth.source == "estimator":
            return replace(self.good_views, min_depth_valid_share=0.0)
        return self.good_views

    def warp(self, width: int, height: int) -> ImageWarp:
        """What the model is shown of a colour image of `width` x `height` pixels.

        Raises ParameterError if the processor is not known, or a setting of it cannot be followed.
        """
        if self.processor == "squash":
            return squash(width, height, self.image_size, self.patch_size)
        from vantage.lift.processors.table import processor_warp

        return processor_warp(self.processor, width, height, self.views_together)
