"""What a layout of RGB-D folders is: recognised by its names, listed, read.

One small module beside this one holds each layout; `vantage.scans.layouts.LAYOUTS` names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, UInt8, UInt16

from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics
from vantage.scans.conventions import Convention
from vantage.scans.raw import RawScan


@dataclass(frozen=True)
class Reading:
    """How to read a scan.

    Attributes:
        stride: every so many recorded frames, counted before any is dropped: a lost pose shifts no other.
        convention: what stored poses and depth mean: the layout's own, overlaid by what the user said.
        color_intrinsics, depth_intrinsics: in place of what the files say; None to go by them.
        pose_delay_s: added to the time stamps of poses before they are paired with images.
        require_depth: whether a frame without a depth image has a problem; `extracted` and `posed_images` can
            do without.
    """

    stride: int
    convention: Convention
    color_intrinsics: Intrinsics | None = None
    depth_intrinsics: Intrinsics | None = None
    pose_delay_s: float = 0.0
    require_depth: bool = True


@runtime_checkable
class Layout(Protocol):
    """A way of laying out a posed RGB-D recording in a folder.

    Attributes:
        name: as in messages and parameters (`tum`).
        example: what such a folder holds, for messages.
        convention: what its poses and depth mean.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def example(self) -> str: ...  # noqa: D102

    @property
    def convention(self) -> Convention: ...  # noqa: D102

    def recognises(self, folder: Path) -> bool:
        """Whether `folder` has this layout, by the names in it alone."""
        ...

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """The files that make the recording, by POSIX path in a copy of the folder; others are left alone."""
        ...

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses (`T_raw_cam`, by `reading.convention`) and places of pixels; no image is decoded.

        A frame that lacks a part stays in the list with its problem. Raises ScanError when the scan as a
        whole cannot be read.
        """
        ...


@dataclass(frozen=True, eq=False)
class Recording:
    """Frames with exact poses, to be written in any layout.

    Attributes:
        color_camera, depth_camera: cameras with one centre and the same axes.
        color: RGB.
        depth_mm: millimetres, 0 for holes.
        T_world_cam: camera (x right, y down, z forward) to world, metres; not finite where tracking was lost.
        timestamps_s: rising.
    """

    color_camera: Pinhole
    depth_camera: Pinhole
    color: UInt8[np.ndarray, "n H W 3"]
    depth_mm: UInt16[np.ndarray, "n h w"]
    T_world_cam: Float64[np.ndarray, "n 4 4"]
    timestamps_s: Float64[np.ndarray, "n"]
