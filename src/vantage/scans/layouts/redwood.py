"""Redwood's and Open3D's layout: numbered images and a `.log` of camera poses.

A `.log` has five lines a pose: three ids, then a 4x4 matrix, camera to world. A log of motions between
fragments has the same form and two different leading ids (`0 3 50`); it is refused. `trajectory.log` is read
where it exists, else the one `.log` there is.

A pose's first id counts from zero, its third is the frame's number counted from one. Images are numbered
from zero (Open3D's examples) or one (Zhou and Koltun's scenes), and the numbers say which id names them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

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
    read_json,
    read_text,
    registered,
    scan,
    under,
)
from vantage.scans.layouts.writing import matrix_text, register, save_color, save_depth, save_lines
from vantage.scans.raw import RawScan, camera_of, pinhole

COLOR_FOLDERS = ("color", "rgb", "image")
TRAJECTORY = "trajectory.log"
INTRINSICS = ("intrinsic*.json", "camera*.json")

#: What the other layouts with the same image folders have and this one has not.
_FOREIGN = ("pose", "rgb.txt", "groundtruth.txt")


class RedwoodLayout:
    """Numbered images and a trajectory `.log`."""

    name = "redwood"
    example = "color/00000.jpg, depth/00000.png, trajectory.log, camera_primesense.json"
    convention = Convention()

    def recognises(self, folder: Path) -> bool:
        """Whether there are a `.log` and both image folders, and nothing that marks another layout."""
        return (
            (folder / "depth").is_dir()
            and any((folder / name).is_dir() for name in COLOR_FOLDERS)
            and bool(_logs(folder))
            and not any((folder / name).exists() for name in _FOREIGN)
            and not any(folder.glob("*.gt.freiburg"))
        )

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, logs and intrinsics."""
        images = [path for part in _images(folder).values() for path in part.values()]
        return under(folder, [*images, *_logs(folder), *_intrinsics(folder)])

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Camera, poses and pixel places. A frame's id is its images' number.

        Raises ScanError when it cannot be told which log is the trajectory or which pose belongs to which
        image, when the log is damaged, or nothing tells the intrinsics.
        """
        images = _images(folder)
        ids = sorted(images["color"].keys() | images["depth"].keys())
        path = _trajectory(folder, scan_id)
        log_ids, poses = read_log(path)
        at = _pairing(log_ids, ids, path.name)
        frames = []
        for k in ids[:: reading.stride]:
            both = {part: files.get(k) for part, files in images.items()}
            stored = poses[at[k]] if k in at else f"no pose in {path.name}"
            frames.append(frame(folder, k, both, stored, reading.convention))
        shape = image_shape("color", images["color"].values())
        cameras = registered(
            _camera(folder, scan_id, shape, reading), image_shape("depth", images["depth"].values()), reading
        )
        return scan(self.name, reading, cameras, frames, len(ids))


def read_log(path: Path) -> tuple[Int64[np.ndarray, "n 3"], Float64[np.ndarray, "n 4 4"]]:
    """Ids and matrices of a `.log` of camera poses; ScanError naming the line that is not as it should be."""
    lines = [(n, line.split()) for n, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    if not lines:
        raise ScanError("an empty trajectory", where=path.name, expected="three ids and a 4x4 matrix a pose")
    for k, (number, words) in enumerate(lines):
        if len(words) != (expected := 3 if k % 5 == 0 else 4):
            where, found = f"{path.name}, line {number}", f"{len(words)} numbers"
            raise ScanError("not a pose", where=where, expected=f"{expected} numbers", found=found)
    if len(lines) % 5:
        where, found = f"{path.name}, line {lines[-1][0]}", "the end of the file"
        raise ScanError("a pose is cut short", where=where, expected="a 4x4 matrix", found=found)
    try:
        table = np.array([word for _, words in lines for word in words], dtype=np.float64).reshape(-1, 19)
    except ValueError as error:
        raise ScanError("not a trajectory", where=path.name, expected="numbers", found=error) from error
    if not ((np.abs(table[:, :3]) < 2**53) & (table[:, :3] % 1 == 0)).all():
        raise ScanError("an id that is no whole number", where=path.name, expected="three ids a pose")
    ids = table[:, :3].astype(np.int64)
    if len(other := np.flatnonzero(ids[:, 0] != ids[:, 1])):
        raise ScanError(
            "not a trajectory of camera poses",
            where=f"{path.name}, pose {other[0] + 1}",
            expected="the same first and second id",
            found=f"{ids[other[0], 0]} and {ids[other[0], 1]}, as in motions between fragments",
        )
    return ids, table[:, 3:].reshape(-1, 4, 4)


def _pairing(log: Int64[np.ndarray, "n 3"], images: list[int], file: str) -> dict[int, int]:
    """The pose of each image number, by the column of ids that names images."""
    if images and images[0] == 0:
        column = log[:, 2] - 1
    else:
        fitting = [ids for ids in (log[:, 0], log[:, 2]) if set(ids.tolist()) <= set(images)]
        if len(fitting) != 1:
            raise ScanError(
                "cannot tell which pose belongs to which image",
                where=file,
                expected="images numbered from 0 or 1, or ids that are the images' numbers",
                found=f"images from {images[0] if images else 'none'}, ids from {log[0, 0]} and {log[0, 2]}",
                hint="Number the images from 0, as the poses are.",
            )
        column = fitting[0]
    if len(np.unique(column)) < len(column):
        raise ScanError("two poses for one frame", where=file, expected="every id once")
    return {int(k): i for i, k in enumerate(column)}


def _logs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.log") if not path.name.startswith("."))


def _trajectory(folder: Path, scan_id: str) -> Path:
    logs = _logs(folder)
    if len(logs) == 1:
        return logs[0]
    if (path := folder / TRAJECTORY) in logs:
        return path
    raise ScanError(
        "several logs, and none of them the trajectory by name",
        where=scan_id,
        expected=TRAJECTORY,
        found=", ".join(log.name for log in logs),
        hint=f"Rename the one that holds the camera's poses to {TRAJECTORY}.",
    )


def _images(folder: Path) -> dict[str, dict[int, Path]]:
    color = next(name for name in COLOR_FOLDERS if (folder / name).is_dir())
    return {
        "color": numbered(folder / color, {"color": COLOR_NAME})["color"],
        "depth": numbered(folder / "depth", {"depth": DEPTH_NAME})["depth"],
    }


def _intrinsics(folder: Path) -> list[Path]:
    return sorted({path for pattern in INTRINSICS for path in folder.glob(pattern)})


def _camera(folder: Path, scan_id: str, shape: tuple[int, int], reading: Reading) -> Pinhole:
    if reading.color_intrinsics:
        return camera_of(shape, reading.color_intrinsics, scan_id)
    found = _intrinsics(folder)
    if len(found) != 1:
        raise ScanError(
            "the intrinsics of the scan are not told" if not found else "intrinsics in several files",
            where=scan_id,
            expected=f"one of {', '.join(INTRINSICS)}",
            found=", ".join(path.name for path in found) or "none",
            hint="Keep one of them, or set extract.capture.color_intrinsics.",
        )
    return camera(shape, _pinhole(read_json(found[0]), found[0].name), None)


def _pinhole(value: dict[str, Any], file: str) -> Pinhole:
    """Open3D's pinhole: the matrix is stored by columns."""
    try:
        K = np.array(value["intrinsic_matrix"], dtype=np.float64).reshape(3, 3).T
        return pinhole(int(value["width"]), int(value["height"]), K, file)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        expected = "width, height and an intrinsic_matrix of 9 numbers"
        raise ScanError(
            "not Open3D's intrinsics", where=file, expected=expected, found=repr(error)
        ) from error


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, colour registered to depth; a lost pose is left out of the log."""
    recording = register(recording)
    log = []
    for k, T in enumerate(recording.T_world_cam):
        save_color(folder / "color" / f"{k:05d}.jpg", recording.color[k])
        save_depth(folder / "depth" / f"{k:05d}.png", recording.depth_mm[k], LAYOUT.convention)
        if np.isfinite(T).all():
            log.append(f"{k} {k} {k + 1}\n{matrix_text(LAYOUT.convention.stored(T))}".rstrip("\n"))
    save_lines(folder / TRAJECTORY, log)
    eye = recording.color_camera
    value = {"width": eye.width, "height": eye.height, "intrinsic_matrix": eye.matrix().T.ravel().tolist()}
    save_lines(folder / "intrinsic.json", [json.dumps(value)])


LAYOUT = RedwoodLayout()
