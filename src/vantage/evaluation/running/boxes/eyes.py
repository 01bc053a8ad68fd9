"""Where each picture was taken from, which boxes are written in, and whether it shows a place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

from vantage.evaluation.running.ask import Depth
from vantage.evaluation.running.posed import level_camera
from vantage.evaluation.running.scan_views import ScanViews
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert
from vantage.records.frames import Frame

SLACK_M: Final = 0.05
"""By how much a measured surface has to lie before all of a box to hide it: sensors are off by less."""


Measured = Callable[[], tuple[Float32[np.ndarray, "h w"], Pinhole]]
"""A depth image (m, 0 for holes) with its camera, which shares centre and axes with the colour camera."""


@dataclass(frozen=True, eq=False)
class Eye:
    """A picture as boxes are written in it.

    Attributes:
        name: of the picture.
        camera: of the picture, pixels as it is shown.
        T_frame_cam: its pose in the frame that boxes are gathered in, whose z is up; metres.
        depth: of the same moment; None where nothing is measured.
    """

    name: str
    camera: Pinhole
    T_frame_cam: Float64[np.ndarray, "4 4"]
    depth: Measured | None = None

    def sees(self, box: OrientedBox) -> bool:
        """Whether the picture shows a box's centre: inside of it, before the camera, and not hidden.

        Hidden is what lies behind a measured surface that all of the box is behind, by more than `SLACK_M`; a
        box's own surface stands before its centre. Where nothing was measured, nothing hides. Errors are
        those of reading `depth`.
        """
        T_cam_frame = invert(self.T_frame_cam)
        center = apply(T_cam_frame, box.center)[None]
        if not self.camera.inside(self.camera.project(center)[0]).all():  # also where z is not above 0
            return False
        if self.depth is None:
            return True
        depth, camera = self.depth()
        uv = camera.project(center)[0]
        if not camera.inside(uv).all():
            return True
        column, row = np.floor(uv[0] + 0.5).astype(int)
        surface = float(depth[row, column])
        nearest = float(apply(T_cam_frame, box.corners())[:, 2].min())
        return not 0 < surface < nearest - SLACK_M


def eyes_of_scan(views: ScanViews) -> list[Eye]:
    """The frames of a scan, in the aligned world."""
    T, meta = views.meta.T_aligned_raw, views.meta
    return [
        Eye(f"{meta.scan_id}/frame {f.frame_id}", meta.color_of(f), T @ f.T_raw_cam, _depth(views, f))
        for f in views.frames
    ]


def eye_of_picture(name: str, camera: Pinhole, depth: Depth | None) -> Eye:
    """A picture of unknown pose: taken as level, at eye height, at the origin of a world of its own."""

    def measured() -> tuple[Float32[np.ndarray, "h w"], Pinhole]:
        assert depth is not None
        image = depth()
        return image, camera.resized(image.shape[1], image.shape[0])

    return Eye(name, camera, level_camera(0.0, 0.0, 0.0), None if depth is None else measured)


def _depth(views: ScanViews, frame: Frame) -> Measured:
    """Read when first asked for, and kept with its view."""
    kept: list[tuple[Float32[np.ndarray, "h w"], Pinhole]] = []

    def depth() -> tuple[Float32[np.ndarray, "h w"], Pinhole]:
        from vantage.scans.pixels import read_depth

        if not kept:
            kept.append((read_depth(views.folder, views.meta, frame), views.meta.depth_of(frame)))
        return kept[0]

    return depth


def seeing(eyes: Sequence[Eye]) -> Callable[[OrientedBox], list[int]]:
    """The numbers of the views that see a box's centre, as `several` asks for them."""
    return lambda box: [number for number, eye in enumerate(eyes) if eye.sees(box)]
