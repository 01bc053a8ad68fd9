"""Redwood and Open3D: numbered images, a `.log` trajectory, and Open3D's JSON of a pinhole camera.

A `.log` holds for each frame a line of three numbers and a 4x4 matrix, camera to world. Image numbers and
poses are paired by the first of the three. Logs of relative motions (`odometry.log`) have the same form: a
`trajectory.log` goes first, and without one there may be only one log.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics
from vantage.scans.codecs import encode_jpeg, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.frames import numbered_scan
from vantage.scans.layouts.images import by_number
from vantage.scans.layouts.texts import matrix_text, read_lines, read_text
from vantage.scans.raw import RawScan

TRAJECTORY = "trajectory.log"
COLOR_FOLDERS = ("color", "rgb", "image")
#: Of PrimeSense-type cameras, when no JSON tells; Open3D's own default.
DEFAULT: Intrinsics = (525.0, 525.0, 319.5, 239.5)


class RedwoodLayout:
    """`trajectory.log`, `color/00000.jpg`, `depth/00000.png` and, if there is one, a camera JSON."""

    name = "redwood"
    example = "trajectory.log, color/00000.jpg, depth/00000.png, camera_primesense.json"
    convention = Convention()

    def recognises(self, folder: Path) -> bool:
        """Whether there are a log, colour and depth, and no folder of poses."""
        with_images = _color_folder(folder) is not None and (folder / "depth").is_dir()
        return with_images and not (folder / "pose").exists() and any(folder.glob("*.log"))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, logs and camera files."""
        color, depth = self._images(folder, scan_id)
        paths = [*color.values(), *depth.values(), *folder.glob("*.log"), *folder.glob("*.json")]
        return {path.relative_to(folder).as_posix(): path for path in sorted(paths)}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; ScanError when log or camera cannot be read."""
        color, depth = self._images(folder, scan_id)
        own = _intrinsics(folder)
        poses = read_log(trajectory_of(folder, scan_id))
        return numbered_scan(folder, scan_id, color, depth, poses, reading, (own, own), self.name)

    def _images(self, folder: Path, scan_id: str) -> tuple[dict[int, Path], dict[int, Path]]:
        images = _color_folder(folder) or folder / COLOR_FOLDERS[0]
        color = by_number(images.iterdir(), r"\D*(\d+)\.(?:jpe?g|png)", f"{scan_id}, {images.name}")
        return color, by_number((folder / "depth").iterdir(), r"\D*(\d+)\.png", f"{scan_id}, depth")


def trajectory_of(folder: Path, scan_id: str) -> Path:
    """The log that holds the trajectory; ScanError when several could."""
    logs = sorted(folder.glob("*.log"))
    named = [path for path in logs if path.name == TRAJECTORY] or logs
    if len(named) == 1:
        return named[0]
    names = ", ".join(path.name for path in logs) or "none"
    hint = f"Rename the one that holds camera-to-world poses to {TRAJECTORY}."
    raise ScanError("which log is the trajectory?", where=scan_id, expected="one log", found=names, hint=hint)


def read_log(path: Path) -> dict[int, Float64[np.ndarray, "4 4"]]:
    """Stored poses by frame number; ScanError names the line that is not as it should be."""
    lines = read_lines(path)
    poses: dict[int, Float64[np.ndarray, "4 4"]] = {}
    for start in range(0, len(lines), 5):
        number, words = lines[start]
        rows = [row for _, row in lines[start + 1 : start + 5]]
        where = f"{path.name}, line {number}"
        try:
            frame, matrix = int(words[0]), np.array(rows, dtype=np.float64)
        except ValueError as error:
            raise ScanError("a bad entry", where=where, expected="numbers", found=error) from error
        if len(words) != 3 or matrix.shape != (4, 4):
            expected, found = "a line of 3 numbers and 4 lines of 4", " ".join(words)[:60]
            raise ScanError("a bad entry", where=where, expected=expected, found=found)
        if frame in poses:
            raise ScanError("a frame occurs twice", where=where, found=frame)
        poses[frame] = matrix
    return poses


def _intrinsics(folder: Path) -> Intrinsics:
    for path in sorted(folder.glob("*.json")):
        found = pinhole_json(path)
        if found is not None:
            return found
    return DEFAULT


def pinhole_json(path: Path) -> Intrinsics | None:
    """fx, fy, cx, cy of Open3D's `intrinsic_matrix` (nine numbers, column by column); None for another
    JSON."""
    expected = "intrinsic_matrix of nine numbers, column by column"
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ScanError("a bad camera file", where=path.name, expected="JSON", found=error) from error
    if not isinstance(value, dict) or "intrinsic_matrix" not in value:
        return None
    K = value["intrinsic_matrix"]
    if not isinstance(K, list) or len(K) != 9 or not all(type(v) in (int, float) for v in K):
        raise ScanError("a bad camera file", where=path.name, expected=expected, found=str(K)[:80])
    return float(K[0]), float(K[4]), float(K[6]), float(K[7])


def _color_folder(folder: Path) -> Path | None:
    return next((folder / name for name in COLOR_FOLDERS if (folder / name).is_dir()), None)


def _json_of(camera: Pinhole) -> str:
    K = [camera.fx, 0, 0, 0, camera.fy, 0, camera.cx, camera.cy, 1]
    return json.dumps({"width": camera.width, "height": camera.height, "intrinsic_matrix": K})


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout; depth and colour have to be of one camera."""
    for part in ("color", "depth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "camera.json").write_text(_json_of(recording.color_camera))
    entries = []
    for k, T_world_cam in enumerate(recording.T_world_cam):
        (folder / "color" / f"{k:05d}.jpg").write_bytes(encode_jpeg(recording.color[k]))
        (folder / "depth" / f"{k:05d}.png").write_bytes(encode_png16(recording.depth_mm[k]))
        entries.append(f"{k} {k} {k + 1}\n{matrix_text(LAYOUT.convention.stored(T_world_cam))}")
    (folder / TRAJECTORY).write_text("".join(entries))


LAYOUT = RedwoodLayout()
