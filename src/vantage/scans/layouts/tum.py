"""A sequence of the TUM RGB-D benchmark.

`rgb.txt` and `depth.txt` list images by time stamp, `groundtruth.txt` the camera's poses (camera to world) at
a rate of its own. As in the benchmark's associate.py, colour and depth, then colour and poses, are paired by
the nearest time stamp less than 20 ms away, one to one; poses are not interpolated (at the motion capture's
100 Hz the nearest is within 5 ms). Depth is registered to colour; 5000 units a metre, 0 for holes.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from vantage.core.errors import ScanError
from vantage.records.frames import Intrinsics
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import frame, image_shape, registered, scan, under
from vantage.scans.layouts.trajectory import associate, read_list, read_quaternions, require_pairs, rows
from vantage.scans.layouts.writing import (
    numbers,
    quaternion_lines,
    register,
    save_color,
    save_depth,
    save_lines,
)
from vantage.scans.raw import RawFrame, RawScan, camera_of

WITHIN_S = 0.02
LISTS = {"color": "rgb.txt", "depth": "depth.txt"}
POSES = "groundtruth.txt"

#: Beside the lists: `fx fy cx cy` in pixels, or a 3x3 or 4x4 intrinsic matrix; # starts a comment.
INTRINSICS_FILES = ("intrinsics.txt", "camera.txt")

#: The benchmark's calibration of each of its cameras; the lenses' distortion is left alone.
KNOWN: dict[str, Intrinsics] = {
    "freiburg1": (517.3, 516.5, 318.6, 255.3),
    "freiburg2": (520.9, 521.0, 325.1, 249.7),
    "freiburg3": (535.4, 539.2, 320.1, 247.6),
}


class TumLayout:
    """A TUM RGB-D sequence."""

    name = "tum"
    example = "rgb.txt, depth.txt, groundtruth.txt, rgb/1305031102.175304.png, depth/1305031102.160407.png"
    convention = Convention(depth_units_per_m=5000.0, up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether the three lists are there."""
        return all((folder / name).is_file() for name in (*LISTS.values(), POSES))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """The lists, the images they name, and the intrinsics' file."""
        texts = [folder / name for name in (*LISTS.values(), POSES, *INTRINSICS_FILES)]
        images = [folder / name for file in LISTS.values() for name in read_list(folder / file)[1]]
        return under(folder, (path for path in (*texts, *images) if path.is_file()))

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and pixel places. A frame's id is its position in `rgb.txt`.

        Raises ScanError when a list is unreadable or empty, time stamps never meet, or nothing tells the
        intrinsics.
        """
        (color_s, color), (depth_s, depth) = (read_list(folder / file) for file in LISTS.values())
        poses = read_quaternions(folder / POSES)
        delayed = poses.keys + reading.pose_delay_s
        to_depth, to_pose = associate(color_s, depth_s, WITHIN_S), associate(color_s, delayed, WITHIN_S)
        require_pairs(to_depth, tuple(LISTS.values()), (color_s, depth_s), WITHIN_S)
        require_pairs(to_pose, (LISTS["color"], POSES), (color_s, delayed), WITHIN_S)
        frames: list[RawFrame] = []
        for k in range(0, len(color), reading.stride):
            images = {
                "color": folder / color[k],
                "depth": None if to_depth[k] < 0 else folder / depth[to_depth[k]],
            }
            stored = f"no pose within {WITHIN_S:g} s" if to_pose[k] < 0 else poses.stored(int(to_pose[k]))
            frames.append(frame(folder, k, images, stored, reading.convention, float(color_s[k])))
        intrinsics = reading.color_intrinsics or _intrinsics(folder, scan_id)
        shape = image_shape("color", (folder / name for name in color))
        eye = camera_of(shape, intrinsics, f"{scan_id}, {' or '.join(INTRINSICS_FILES)}")
        cameras = registered(eye, image_shape("depth", (folder / name for name in depth)), reading)
        return scan(self.name, reading, cameras, frames, len(color))


def _intrinsics(folder: Path, scan_id: str) -> Intrinsics:
    for name in INTRINSICS_FILES:
        if (path := folder / name).is_file():
            return _four(path)
    if known := re.search("|".join(KNOWN), scan_id, re.IGNORECASE):
        return KNOWN[known[0].lower()]
    files, names = " or ".join(INTRINSICS_FILES), ", ".join(KNOWN)
    raise ScanError(
        "the intrinsics of the scan are nowhere told",
        where=scan_id,
        expected=f"{files} with a line fx fy cx cy, or one of {names} in its name",
        hint="Write the file, or set extract.capture.color_intrinsics.",
    )


def _four(path: Path) -> Intrinsics:
    words = [word for _, line in rows(path) for word in line.split()]
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError:
        values = np.empty(0)
    if values.size in (9, 16):
        K = values.reshape(int(values.size**0.5), -1)
        values = np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2]])
    if values.size != 4:
        expected, found = "fx fy cx cy, or a 3x3 or 4x4 matrix", " ".join(words)[:80] or "nothing"
        raise ScanError("bad intrinsics", where=path.name, expected=expected, found=found)
    fx, fy, cx, cy = values.tolist()
    return fx, fy, cx, cy


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, colour registered to depth, with an `intrinsics.txt`."""
    recording = register(recording)
    keys = [f"{t:.6f}" for t in recording.timestamps_s]
    for k, key in enumerate(keys):
        save_color(folder / "rgb" / f"{key}.png", recording.color[k])
        save_depth(folder / "depth" / f"{key}.png", recording.depth_mm[k], LAYOUT.convention)
    for part, file in (("rgb", LISTS["color"]), ("depth", LISTS["depth"])):
        save_lines(folder / file, ["# timestamp filename", *(f"{key} {part}/{key}.png" for key in keys)])
    stored = np.stack([LAYOUT.convention.stored(T) for T in recording.T_world_cam])
    save_lines(folder / POSES, ["# timestamp tx ty tz qx qy qz qw", *quaternion_lines(keys, stored)])
    eye = recording.color_camera
    save_lines(
        folder / "intrinsics.txt", ["# fx fy cx cy", numbers(np.array([eye.fx, eye.fy, eye.cx, eye.cy]))]
    )


LAYOUT = TumLayout()
