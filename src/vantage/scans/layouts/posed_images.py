"""The `posed_images` layout of ScanNet for detectors: all parts of a frame side by side in one folder.

`00000.jpg`, `00000.png` (depth, mm), `00000.txt` (camera to world, 4x4), `intrinsic.txt` (colour) and
`depth_intrinsic.txt`. The published exports hold every tenth frame, numbered on from zero.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import (
    DEPTH_NAME,
    TEXT_NAME,
    depth_camera,
    image_shape,
    numbered,
    posed_frames,
    read_matrix,
    scan,
    under,
)
from vantage.scans.layouts.writing import save_color, save_depth, save_intrinsics, save_matrix
from vantage.scans.raw import RawScan, pinhole

#: Colour is a jpeg here: a .png of the same number is depth.
PARTS = {
    "color": re.compile(r"(\d{1,18})\.jpe?g", re.ASCII | re.IGNORECASE),
    "depth": DEPTH_NAME,
    "pose": TEXT_NAME,
}
INTRINSICS = {"color": "intrinsic.txt", "depth": "depth_intrinsic.txt"}


class PosedImagesLayout:
    """Colour, depth and pose of each frame in one folder."""

    name = "posed_images"
    example = "00000.jpg, 00000.png, 00000.txt, intrinsic.txt, depth_intrinsic.txt"
    convention = Convention(up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether colour's intrinsic file and a numbered pose are there; depth may be missing."""
        if not (folder / INTRINSICS["color"]).is_file():
            return False
        with os.scandir(folder) as entries:
            return any(TEXT_NAME.fullmatch(entry.name) for entry in entries)

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, poses and the two matrices."""
        found = [path for files in numbered(folder, PARTS).values() for path in files.values()]
        matrices = [folder / name for name in INTRINSICS.values()]
        return under(folder, [*found, *(path for path in matrices if path.is_file())])

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and pixel places; sizes come from the first whole images.

        Raises ScanError when there is no image, no intrinsic matrix, or two files claim one id.
        """
        parts = numbered(folder, PARTS)
        frames, recorded = posed_frames(folder, parts, reading)
        if not frames:
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        of_color, of_depth = INTRINSICS["color"], INTRINSICS["depth"]
        stated = pinhole(
            *image_shape("color", parts["color"].values()), read_matrix(folder / of_color), of_color
        )
        color = stated.with_intrinsics(reading.color_intrinsics)
        depth = depth_camera(parts["depth"].values(), folder / of_depth, of_depth, color, reading)
        return scan(self.name, reading, (color, depth), frames, recorded)


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout; the position of a frame is its id."""
    for k, T in enumerate(recording.T_world_cam):
        save_color(folder / f"{k:05d}.jpg", recording.color[k])
        save_depth(folder / f"{k:05d}.png", recording.depth_mm[k], LAYOUT.convention)
        save_matrix(folder / f"{k:05d}.txt", LAYOUT.convention.stored(T))
    save_intrinsics(folder / INTRINSICS["color"], recording.color_camera)
    save_intrinsics(folder / INTRINSICS["depth"], recording.depth_camera)


LAYOUT = PosedImagesLayout()
