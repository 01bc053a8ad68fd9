"""Depth images of a few frames in stored units, each with a thinned grid of its own points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt16

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import Matrix4
from vantage.scans.codecs import decode_depth
from vantage.scans.conventions import Convention
from vantage.scans.pixels import HOLES, read_bytes
from vantage.scans.quality import pose_problem
from vantage.scans.raw import RawFrame, RawScan


@dataclass(frozen=True, eq=False)
class View:
    """A frame's depth.

    Attributes:
        frame: the frame as recorded.
        camera: of the depth image.
        depth: stored units, holes 0.
        points: camera points of a regular grid of measured pixels, in stored units.
    """

    frame: RawFrame
    camera: Pinhole
    depth: UInt16[np.ndarray, "h w"]
    points: Float64[np.ndarray, "n 3"]


def usable(scan: RawScan) -> list[RawFrame]:
    """Frames with a rigid pose and a depth image that is said to be there."""
    return [f for f in scan.frames if not f.problem and f.depth.file and not pose_problem(f.T_raw_cam)]


def stored_poses(frames: Sequence[RawFrame], read_with: Convention) -> Float64[np.ndarray, "n 4 4"]:
    """The matrices that the recording holds, from poses that were read with a convention."""
    return np.array([read_with.stored(frame.T_raw_cam) for frame in frames]).reshape(-1, 4, 4)


class Views:
    """Reads the depth of frames, each once.

    Args:
        raw_dir: the scan's folder.
        scan: what was read of it.
        points: about how many points of a frame are compared.
    """

    def __init__(self, raw_dir: Path, scan: RawScan, points: int) -> None:
        self._raw_dir, self._scan, self._points = raw_dir, scan, points
        self._read: dict[int, View | None] = {}
        self.unreadable: list[str] = []

    def of(self, frame: RawFrame) -> View | None:
        """The view of a frame; None (and a line in `unreadable`) where its image cannot be read."""
        if frame.frame_id not in self._read:
            try:
                self._read[frame.frame_id] = self._load(frame)
            except ScanError as error:
                self.unreadable.append(error.one_line())
                self._read[frame.frame_id] = None
        return self._read[frame.frame_id]

    def all(self) -> list[View]:
        """Every view that was read, by frame id."""
        return [view for _, view in sorted(self._read.items()) if view is not None]

    def _load(self, frame: RawFrame) -> View:
        camera = self._scan.depth.with_intrinsics(frame.depth_intrinsics)
        where = f"frame {frame.frame_id}, {frame.depth.file}"
        data = read_bytes(self._raw_dir, frame.depth)
        depth = decode_depth(data, frame.depth.encoding, (camera.height, camera.width), where)
        depth = np.where(np.isin(depth, HOLES), 0, depth).astype(np.uint16)
        return View(frame, camera, depth, grid_points(camera, depth, self._points))


def grid_points(camera: Pinhole, depth: UInt16[np.ndarray, "h w"], count: int) -> Float64[np.ndarray, "n 3"]:
    """About `count` points of a regular grid of pixels, those measured, in the units of `depth`."""
    step = max(1, round(float(np.sqrt(depth.size / count))))
    v, u = np.mgrid[step // 2 : depth.shape[0] : step, step // 2 : depth.shape[1] : step].reshape(2, -1)
    measured = depth[v, u] > 0
    v, u = v[measured], u[measured]
    return camera.backproject(np.stack([u, v], axis=1).astype(np.float64), depth[v, u].astype(np.float64))


def T_world_cam(view: View, read_with: Convention, truth: Convention) -> Matrix4:
    """The view's pose under another convention than it was read with."""
    return truth.T_world_cam(read_with.stored(view.frame.T_raw_cam))
