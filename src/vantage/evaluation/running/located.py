"""Views of a scan with a point for every patch, for models that were trained with coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.core.frames import Frame as Coordinates
from vantage.evaluation.running.scan_views import ScanViews
from vantage.geometry.transforms import camera_ego, invert, level_ego
from vantage.geometry.warp import ImageWarp
from vantage.lift.config import LiftConfig
from vantage.lift.patches import patch_coordinates
from vantage.records.frames import Frame

if TYPE_CHECKING:
    from vantage.models.patch_geometry import PatchGrid
    from vantage.models.vlm.sample import View

Warps = Callable[[int, int, int], ImageWarp]
"""What a model's image processor makes of images of some width and height, so many together."""


def located(scan: ScanViews, frame: Coordinates, warps: Warps | None) -> tuple[View, ...]:
    """The views of `scan.views()` with their points, in a frame of the asker.

    The asker is where `scan` says, else at the first view. Points come from depth images as in `lift`;
    without `warps` there are none, and poses alone are brought to the frame.

    Raises:
        ParameterError: a frame that is not one of the asker's, nor `aligned`.
        ScanError: depth that cannot be read.
    """
    from dataclasses import replace

    T_frame_aligned = _from_aligned(scan, frame)
    color = scan.meta.color
    warp = None if warps is None else warps(color.width, color.height, len(scan.frames))
    return tuple(
        replace(
            view,
            pictures=None if warp is None else _pictures(scan, shown, warp, T_frame_aligned),
            T_frame_cam=T_frame_aligned @ scan.meta.T_aligned_raw @ shown.T_raw_cam,
        )
        for view, shown in zip(scan.views(), scan.frames, strict=True)
    )


def _from_aligned(scan: ScanViews, frame: Coordinates) -> Float64[np.ndarray, "4 4"]:
    if frame == "aligned":
        return np.eye(4)
    egos = {"ego_level": level_ego, "ego_camera": camera_ego}
    if frame not in egos:
        raise ParameterError(
            "coordinates in this frame cannot be given", expected=f"aligned, {', '.join(egos)}", found=frame
        )
    return np.asarray(invert(egos[frame](scan.T_aligned_me)))


def _pictures(
    scan: ScanViews, shown: Frame, warp: ImageWarp, T_frame_aligned: Float64[np.ndarray, "4 4"]
) -> tuple[PatchGrid, ...]:
    from vantage.models.vlm.pictures import picture_grids
    from vantage.scans.pixels import read_depth

    meta = scan.meta
    points = patch_coordinates(
        read_depth(scan.folder, meta, shown), meta.depth_of(shown), meta.T_aligned_raw @ shown.T_raw_cam,
        meta.color_of(shown), warp, LiftConfig().min_valid_share,
    )  # fmt: skip
    found: tuple[PatchGrid, ...] = picture_grids(points.xyz_world, points.valid, warp.grids, T_frame_aligned)
    return found
