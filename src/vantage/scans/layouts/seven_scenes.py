"""A sequence of Microsoft's 7-Scenes (or RGB-D Scenes of the same recorder).

`frame-000000.color.png`, `frame-000000.depth.png` (mm; 0 and 65535 for holes) and `frame-000000.pose.txt`
(camera to world, 4x4). The data set states its depth camera and no calibration of colour, and the two are
NOT registered: the scan says so, and colour falls a few pixels off depth.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from vantage.geometry.camera import Pinhole
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import camera, image_shape, numbered, posed_frames, scan, under
from vantage.scans.layouts.writing import save_color, save_depth, save_matrix
from vantage.scans.raw import RawScan

PARTS = {
    "color": re.compile(r"frame-(\d{1,18})\.color\.png", re.ASCII),
    "depth": re.compile(r"frame-(\d{1,18})\.depth\.png", re.ASCII),
    "pose": re.compile(r"frame-(\d{1,18})\.pose\.txt", re.ASCII),
}
#: The data set's statement for depth; colour is the same sensor's nominal value.
DEPTH = Pinhole(640, 480, 585.0, 585.0, 320.0, 240.0)
COLOR = Pinhole(640, 480, 525.0, 525.0, 320.0, 240.0)


class SevenScenesLayout:
    """One sequence of 7-Scenes."""

    name = "seven_scenes"
    example = "frame-000000.color.png, frame-000000.depth.png, frame-000000.pose.txt"
    convention = Convention()

    def recognises(self, folder: Path) -> bool:
        """Whether there is a frame's colour image."""
        with os.scandir(folder) as entries:
            return any(PARTS["color"].fullmatch(entry.name) for entry in entries)

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images and poses."""
        return under(folder, (path for files in numbered(folder, PARTS).values() for path in files.values()))

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Poses and pixel places; the cameras are the data set's, scaled to the images, unless given.

        Raises ScanError when no image can be read, or two files claim one id.
        """
        parts = numbered(folder, PARTS)
        frames, recorded = posed_frames(folder, parts, reading)
        cameras = (
            camera(image_shape("color", parts["color"].values()), COLOR, reading.color_intrinsics),
            camera(image_shape("depth", parts["depth"].values()), DEPTH, reading.depth_intrinsics),
        )
        return scan(self.name, reading, cameras, frames, recorded, extrinsics=True)


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, holes as 65535.

    The layout has no file for cameras: others than the data set's must be told to the reader.
    """
    for k, T in enumerate(recording.T_world_cam):
        stem = folder / f"frame-{k:06d}"
        save_color(stem.with_suffix(".color.png"), recording.color[k])
        save_depth(stem.with_suffix(".depth.png"), recording.depth_mm[k], LAYOUT.convention, hole=65535)
        save_matrix(stem.with_suffix(".pose.txt"), LAYOUT.convention.stored(T))


LAYOUT = SevenScenesLayout()
