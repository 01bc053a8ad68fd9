"""Replica as NICE-SLAM renders it: `results/frame000000.jpg`, `results/depth000000.png`, `traj.txt`.

`cam_params.json` lies in the folder or, for all scenes at once, in the one above; it tells the depth scale.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from vantage.core.errors import ScanError
from vantage.records.frames import Intrinsics
from vantage.scans.codecs import encode_jpeg, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording, stored_depth
from vantage.scans.layouts.frames import numbered_scan
from vantage.scans.layouts.images import by_number
from vantage.scans.layouts.texts import read_table, read_text
from vantage.scans.raw import RawScan

UNITS_PER_M = 6553.5
"""Of the published renderings, by which tests are written."""

TRAJECTORY, RESULTS, CAMERA = "traj.txt", "results", "cam_params.json"


class ReplicaLayout:
    """Line k of `traj.txt` (16 numbers, camera to world) belongs to image k."""

    name = "replica"
    example = "traj.txt, results/frame000000.jpg, results/depth000000.png, cam_params.json"
    convention = Convention(depth_units_per_m=0.0, up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether trajectory and results are there."""
        return (folder / TRAJECTORY).is_file() and (folder / RESULTS).is_dir()

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, trajectory and the camera, from the folder above if need be."""
        paths = [path for part in self._images(folder, scan_id) for path in part.values()]
        found = {f"{RESULTS}/{path.name}": path for path in paths} | {TRAJECTORY: folder / TRAJECTORY}
        camera = _camera_file(folder)
        return found if camera is None else found | {CAMERA: camera}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; ScanError when trajectory or camera cannot be read."""
        color, depth = self._images(folder, scan_id)
        table = read_table(folder / TRAJECTORY, 16)
        poses = {k: row.reshape(4, 4) for k, row in enumerate(table)}
        own, units = read_camera(folder, scan_id)
        said = reading.convention.depth_units_per_m or units
        reading = replace(reading, convention=replace(reading.convention, depth_units_per_m=said))
        return numbered_scan(folder, scan_id, color, depth, poses, reading, (own, own), self.name)

    def _images(self, folder: Path, scan_id: str) -> tuple[dict[int, Path], dict[int, Path]]:
        files = list((folder / RESULTS).iterdir())
        color = by_number(files, r"frame(\d+)\.(?:jpe?g|png)", f"{scan_id}, {RESULTS}")
        return color, by_number(files, r"depth(\d+)\.png", f"{scan_id}, {RESULTS}")


def read_camera(folder: Path, scan_id: str) -> tuple[Intrinsics, float]:
    """fx, fy, cx, cy and depth units per metre of `cam_params.json`; ScanError when it is not there or
    bad."""
    path = _camera_file(folder)
    if path is None:
        hint = (
            "Copy it from the dataset's folder, or set extract.capture.color_intrinsics and depth_intrinsics."
        )
        raise ScanError(
            f"no {CAMERA}", where=scan_id, expected="it in the folder or the one above", hint=hint
        )
    try:
        value: Any = json.loads(read_text(path))["camera"]
        fx, fy, cx, cy, scale = (float(value[name]) for name in ("fx", "fy", "cx", "cy", "scale"))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        expected = '{"camera": {"fx", "fy", "cx", "cy", "scale", ...}}'
        raise ScanError("a bad camera file", where=path.name, expected=expected, found=repr(error)) from error
    return (fx, fy, cx, cy), scale


def _camera_file(folder: Path) -> Path | None:
    return next((path for base in (folder, folder.parent) if (path := base / CAMERA).is_file()), None)


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, its camera above the folder; depth and colour of one camera."""
    (folder / RESULTS).mkdir(parents=True, exist_ok=True)
    camera = recording.color_camera
    value = {
        "w": camera.width,
        "h": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "scale": UNITS_PER_M,
    }
    (folder.parent / CAMERA).write_text(json.dumps({"camera": value}))
    lines = []
    for k, T_world_cam in enumerate(recording.T_world_cam):
        (folder / RESULTS / f"frame{k:06d}.jpg").write_bytes(encode_jpeg(recording.color[k]))
        depth = stored_depth(recording.depth_mm[k], UNITS_PER_M)
        (folder / RESULTS / f"depth{k:06d}.png").write_bytes(encode_png16(depth))
        stored = LAYOUT.convention.stored(T_world_cam)
        lines.append(" ".join(f"{value:.12g}" for value in stored.ravel()))
    (folder / TRAJECTORY).write_text("\n".join(lines) + "\n")


LAYOUT = ReplicaLayout()
