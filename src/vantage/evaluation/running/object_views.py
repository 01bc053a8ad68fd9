"""Which frames of a scan show an object that is given by its box, and which one shows it best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from vantage.core.errors import VantageError
from vantage.evaluation.running.scan_views import MeasuredScan
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.iou2d import bounding_rectangle, polygon_area, projected_hull
from vantage.geometry.transforms import invert
from vantage.records.frames import Frame

MIN_VISIBLE = 0.1
"""A frame in which less of an object is visible does not show it."""
SLACK_M = 0.05
"""A depth this near a box counts as in it: boxes of pictures and doors are thin, depth and poses noisy."""
_RAYS = 4096  # through an outline, about


def visible_share(depth: Float32[np.ndarray, "h w"], camera: Pinhole, box_cam: OrientedBox) -> float:
    """Share of the rays through a box that end in it, among those that end in it or before it.

    Rays that end behind the box pass what stands in it and tell nothing, nor do holes of the depth image (m,
    along the optical axis). 0 where no ray tells anything.

    Args:
        depth: of the frame, metres.
        camera: of the depth image.
        box_cam: the box in the camera's frame.
    """
    around = bounding_rectangle(projected_hull(box_cam, camera, in_image=True))
    if around is None:
        return 0.0
    first, last = np.ceil(around[:2]).astype(int), np.floor(around[2:]).astype(int)
    step = max(1, int(np.sqrt(np.prod(np.maximum(last - first + 1, 1)) / _RAYS)))
    v, u = (one.ravel() for one in np.mgrid[first[1] : last[1] + 1 : step, first[0] : last[0] + 1 : step])
    z = depth[v, u].astype(np.float64)
    told = np.isfinite(z) & (z > 0)
    u, v, z = u[told], v[told], z[told]
    rays = camera.backproject(np.stack([u, v], axis=-1).astype(np.float64), np.ones(len(z)))
    enter, leave = _crossing(rays, box_cam, 0.0)
    met = (enter <= leave) & (leave > 0)
    enter, leave = _crossing(rays[met], box_cam, SLACK_M)
    ended, before = z[met] <= leave, z[met] < enter
    return float((ended & ~before).sum() / ended.sum()) if ended.any() else 0.0


def _crossing(
    rays: Float64[np.ndarray, "n 3"], box_cam: OrientedBox, margin: float
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Depths (m) at which rays from the camera (z = 1) enter and leave a box grown by `margin`."""
    start, way = -box_cam.center @ box_cam.rotation, rays @ box_cam.rotation
    half = box_cam.size / 2 + margin
    with np.errstate(divide="ignore", invalid="ignore"):
        sides = np.stack([(-half - start) / way, (half - start) / way])
    return np.fmin(*sides).max(axis=1, initial=-np.inf), np.fmax(*sides).min(axis=1, initial=np.inf)


@dataclass(frozen=True)
class ObjectViews:
    """Where a scan shows its objects; boxes are in the aligned world, colour pictures are what is shown.

    Attributes:
        recorded: the scan.
    """

    recorded: MeasuredScan

    def best(self, box: OrientedBox) -> Frame:
        """The frame with the largest extent times visible share; ties: the earlier frame.

        Among those of good quality; among all usable ones where none of these shows the object.

        Raises `VantageError` when no frame shows it.
        """
        for frames in (self.recorded.good, self.recorded.kept):
            found = self._best(box, frames)
            if found is not None:
                return found
        raise VantageError("no frame shows the object", where=self.recorded.meta.scan_id)

    def _best(self, box: OrientedBox, frames: Sequence[Frame]) -> Frame | None:
        """Visible shares are at most 1, so frames are looked at from the largest extent down to the best."""
        extents = sorted(((self.extent(box, f), f) for f in frames), key=lambda e: (-e[0], e[1].frame_id))
        most, best = 0.0, None
        for extent, frame in extents:
            if extent < most or extent == 0:
                break
            share = self.visible(box, frame)
            value = extent * share
            earlier = best is not None and value == most and frame.frame_id < best.frame_id
            if share >= MIN_VISIBLE and (value > most or earlier):
                most, best = value, frame
        return best

    def shows(self, box: OrientedBox, frame: Frame) -> bool:
        """Whether a frame shows an object."""
        return self.extent(box, frame) > 0 and self.visible(box, frame) >= MIN_VISIBLE

    def outline(self, box: OrientedBox, frame: Frame) -> Float64[np.ndarray, "h 2"]:
        """The convex outline (px) of a box in the colour picture, reaching beyond it."""
        return projected_hull(self._in_camera(box, frame), self.recorded.meta.color_of(frame))

    def extent(self, box: OrientedBox, frame: Frame) -> float:
        """Share of the colour picture within the outline, times share of the outline within the picture.

        Large but whole: the first alone would take frames so near that they cut the object off.
        """
        camera, box_cam = self.recorded.meta.color_of(frame), self._in_camera(box, frame)
        inside = polygon_area(projected_hull(box_cam, camera, in_image=True))
        if inside <= 0:
            return 0.0
        whole = polygon_area(projected_hull(box_cam, camera))
        return inside / (camera.width * camera.height) * inside / whole

    def visible(self, box: OrientedBox, frame: Frame) -> float:
        """`visible_share` of a box in a frame."""
        from vantage.scans.pixels import read_depth

        meta = self.recorded.meta
        depth = read_depth(self.recorded.folder, meta, frame)
        return visible_share(depth, meta.depth_of(frame), self._in_camera(box, frame))

    def _in_camera(self, box: OrientedBox, frame: Frame) -> OrientedBox:
        T_aligned_cam = self.recorded.meta.T_aligned_raw @ frame.T_raw_cam
        return box.transformed(invert(T_aligned_cam))
