"""Replica as rendered for NICE-SLAM.

`results/frame000000.jpg`, `results/depth000000.png` (6553.5 units a metre), `traj.txt` (a 4x4 matrix a line,
camera to world, x right, y down, z forward) and `cam_params.json`, which lies beside the scans in their
common folder.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import (
    camera,
    frame,
    image_shape,
    numbered,
    read_json,
    registered,
    scan,
    under,
)
from vantage.scans.layouts.trajectory import read_table
from vantage.scans.layouts.writing import numbers, register, save_color, save_depth, save_lines
from vantage.scans.raw import RawScan, camera_of

RESULTS = "results"
TRAJECTORY = "traj.txt"
CAMERA = "cam_params.json"
IMAGES = {
    "color": re.compile(r"frame(\d{1,18})\.(?:jpg|jpeg|png)", re.ASCII),
    "depth": re.compile(r"depth(\d{1,18})\.png", re.ASCII),
}


class ReplicaLayout:
    """A Replica scene as rendered for NICE-SLAM."""

    name = "replica"
    example = (
        "results/frame000000.jpg, results/depth000000.png, traj.txt, cam_params.json here or beside the scan"
    )
    convention = Convention(depth_units_per_m=6553.5, up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether `results` and `traj.txt` are there."""
        return (folder / RESULTS).is_dir() and (folder / TRAJECTORY).is_file()

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, the trajectory, and the camera, which moves into the scan's folder."""
        images = numbered(folder / RESULTS, IMAGES)
        found = under(
            folder, [*(path for part in images.values() for path in part.values()), folder / TRAJECTORY]
        )
        path = _camera_file(folder)
        return found if path is None else {**found, CAMERA: path}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Camera, poses and pixel places. A frame's id is its images' number.

        The file's own depth scale holds unless the user gave one. Raises ScanError when the trajectory is
        damaged or fits the images' numbers in no way, or nothing tells the camera.
        """
        images = numbered(folder / RESULTS, IMAGES)
        ids = sorted(images["color"].keys() | images["depth"].keys())
        poses = read_table(folder / TRAJECTORY, 16, "a 4x4 matrix, camera to world").reshape(-1, 4, 4)
        line = _pairing(ids, len(poses))
        frames = []
        for position in range(0, len(ids), reading.stride):
            k, row = ids[position], line[position]
            stored = poses[row] if row < len(poses) else f"no pose: {TRAJECTORY} has {len(poses)} lines"
            both = {part: files.get(k) for part, files in images.items()}
            frames.append(frame(folder, k, both, stored, reading.convention))
        shape = image_shape("color", images["color"].values())
        eye, scale = _camera(folder, scan_id, shape, reading)
        cameras = registered(eye, image_shape("depth", images["depth"].values()), reading)
        reading = replace(reading, convention=replace(reading.convention, depth_units_per_m=scale))
        return scan(self.name, reading, cameras, frames, len(ids))


def _pairing(ids: list[int], poses: int) -> list[int]:
    """The line of each image: its number, or its place where there are as many lines as images that do not
    count from zero.
    """
    if not ids or ids[0] == 0:
        return ids
    if len(ids) == poses:
        return list(range(poses))
    if ids[-1] < poses:
        return ids
    raise ScanError(
        "cannot tell which pose belongs to which image",
        where=TRAJECTORY,
        expected=f"a line for each of {len(ids)} images, or for each number up to {ids[-1]}",
        found=f"{poses} lines",
    )


def _camera_file(folder: Path) -> Path | None:
    places = (folder / CAMERA, folder.absolute().parent / CAMERA)
    return next((path for path in places if path.is_file()), None)


def _camera(folder: Path, scan_id: str, shape: tuple[int, int], reading: Reading) -> tuple[Pinhole, float]:
    """The camera, and depth units a metre."""
    path, units = _camera_file(folder), reading.convention.depth_units_per_m
    if path is None:
        if reading.color_intrinsics:
            return camera_of(shape, reading.color_intrinsics, scan_id), units
        raise ScanError(
            "the camera of the scan is not told",
            where=scan_id,
            expected=f"{CAMERA} in the scan's folder or the one above",
            found="none",
            hint="Put it there, or set extract.capture.color_intrinsics.",
        )
    stated, scale = _stated(read_json(path))
    own = ReplicaLayout.convention.depth_units_per_m
    return camera(shape, stated, reading.color_intrinsics), scale if units == own else units


def _stated(value: dict[str, Any]) -> tuple[Pinhole, float]:
    try:
        fields = value["camera"]
        intrinsics = (float(fields[name]) for name in ("fx", "fy", "cx", "cy"))
        eye, scale = Pinhole(int(fields["w"]), int(fields["h"]), *intrinsics), float(fields["scale"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        expected = '{"camera": {"w", "h", "fx", "fy", "cx", "cy", "scale"}}'
        raise ScanError("not a camera", where=CAMERA, expected=expected, found=repr(error)) from error
    if not (np.isfinite(scale) and scale > 0):
        raise ScanError("not a depth scale", where=CAMERA, expected="units a metre above 0", found=scale)
    return eye, scale


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, colour registered to depth, the camera in the scan's folder."""
    recording = register(recording)
    poses = []
    for k, T in enumerate(recording.T_world_cam):
        save_color(folder / RESULTS / f"frame{k:06d}.jpg", recording.color[k])
        save_depth(folder / RESULTS / f"depth{k:06d}.png", recording.depth_mm[k], LAYOUT.convention)
        poses.append(numbers(LAYOUT.convention.stored(T).ravel()))
    save_lines(folder / TRAJECTORY, poses)
    eye = recording.color_camera
    value = {"w": eye.width, "h": eye.height, "fx": eye.fx, "fy": eye.fy, "cx": eye.cx, "cy": eye.cy}
    scale = LAYOUT.convention.depth_units_per_m
    save_lines(folder / CAMERA, [json.dumps({"camera": {**value, "scale": scale}})])


LAYOUT = ReplicaLayout()
