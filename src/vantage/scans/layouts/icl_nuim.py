"""A sequence of ICL-NUIM in its TUM-like form: made rooms, rendered with a camera whose fy is negative.

`rgb/K.png`, `depth/K.png` (5000 units a metre), `associations.txt` (`K depth/K.png K rgb/K.png`) and
`livingRoom2.gt.freiburg` or the like (`K tx ty tz qx qy qz qw`, camera to world). Poses are paired by number;
those of the living room begin at 1, of the office at 2, so that the first frame has none.

The renderer's world and camera are left-handed with y up, and its images have their rows downwards, which is
what the stated fy of -480 means. The reader turns the y axis of both round (`mirrored`), after which fy is
+480 and the world's -y is up. docs/scans.md has the evidence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import (
    COLOR_NAME,
    DEPTH_NAME,
    camera,
    frame,
    image_shape,
    numbered,
    registered,
    scan,
    under,
)
from vantage.scans.layouts.trajectory import inside, read_quaternions, rows
from vantage.scans.layouts.writing import quaternion_lines, register, save_color, save_depth, save_lines
from vantage.scans.raw import RawScan

ASSOCIATIONS = "associations.txt"
CAMERA = Pinhole(640, 480, 481.2, 480.0, 319.5, 239.5)


class IclNuimLayout:
    """An ICL-NUIM sequence in TUM-like PNGs."""

    name = "icl_nuim"
    example = "rgb/0.png, depth/0.png, associations.txt, livingRoom0.gt.freiburg"
    convention = Convention(camera_axes="mirrored", depth_units_per_m=5000.0, up="-y")

    def recognises(self, folder: Path) -> bool:
        """Whether there are both image folders and a `.gt.freiburg`."""
        return all((folder / part).is_dir() for part in ("rgb", "depth")) and bool(_trajectories(folder))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, associations and the trajectory."""
        images = [path for part in _images(folder).values() for path in part.values()]
        texts = [path for path in (folder / ASSOCIATIONS, *_trajectories(folder)) if path.is_file()]
        return under(folder, [*texts, *(path for path in images if path.is_file())])

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Poses and pixel places; the camera is the data set's, scaled to the images, unless given.

        Raises ScanError when there is no image, more than one trajectory, or a text file is damaged.
        """
        if len(found := _trajectories(folder)) > 1:
            names = ", ".join(path.name for path in found)
            raise ScanError("two trajectories in one scan", where=scan_id, expected="one", found=names)
        images, poses = _images(folder), read_quaternions(found[0])
        at = {float(key): i for i, key in enumerate(poses.keys)}
        ids = sorted(images["color"].keys() | images["depth"].keys())
        frames = []
        for k in ids[:: reading.stride]:
            stored = poses.stored(at[k]) if k in at else f"no pose in {found[0].name}"
            both = {part: files.get(k) for part, files in images.items()}
            frames.append(frame(folder, k, both, stored, reading.convention))
        eye = camera(image_shape("color", images["color"].values()), CAMERA, reading.color_intrinsics)
        cameras = registered(eye, image_shape("depth", images["depth"].values()), reading)
        return scan(self.name, reading, cameras, frames, len(ids))


def _trajectories(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.gt.freiburg") if not path.name.startswith("."))


def _images(folder: Path) -> Mapping[str, dict[int, Path]]:
    """Images by frame number: as the associations have it, else by name."""
    if not (folder / ASSOCIATIONS).is_file():
        names = {"color": ("rgb", COLOR_NAME), "depth": ("depth", DEPTH_NAME)}
        return {part: numbered(folder / sub, {part: name})[part] for part, (sub, name) in names.items()}
    images: dict[str, dict[int, Path]] = {"color": {}, "depth": {}}
    for number, line in rows(folder / ASSOCIATIONS):
        where = f"{ASSOCIATIONS}, line {number}"
        match = re.fullmatch(r"(\d+)\s+(\S+)\s+(\d+)\s+(\S+)", line, re.ASCII)
        if not match or match[1] != match[3]:
            expected = "K depth/K.png K rgb/K.png"
            raise ScanError("not an association", where=where, expected=expected, found=line[:80])
        for part, name in (("depth", match[2]), ("color", match[4])):
            path = folder / inside(name, where)
            if images[part].setdefault(int(match[1]), path) is not path:
                raise ScanError("a frame twice", where=where, expected="every number once", found=match[1])
    return images


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, colour registered to depth.

    The layout has no file for a camera: another than the data set's must be told to the reader.
    """
    recording = register(recording)
    ids = range(len(recording.color))
    for k in ids:
        save_color(folder / "rgb" / f"{k}.png", recording.color[k])
        save_depth(folder / "depth" / f"{k}.png", recording.depth_mm[k], LAYOUT.convention)
    save_lines(folder / ASSOCIATIONS, [f"{k} depth/{k}.png {k} rgb/{k}.png" for k in ids])
    stored = np.stack([LAYOUT.convention.stored(T) for T in recording.T_world_cam])
    save_lines(folder / "livingRoom0.gt.freiburg", quaternion_lines([str(k) for k in ids], stored))


LAYOUT = IclNuimLayout()
