"""What the layouts share: files by frame number, matrices in text files, frames and cameras of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics, PixelRef
from vantage.scans.codecs import image_size
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading
from vantage.scans.raw import NOWHERE, RawFrame, RawScan, pinhole

#: Names of images that bear a frame's number alone.
COLOR_NAME = re.compile(r"(\d{1,18})\.(?:jpg|jpeg|png)", re.ASCII | re.IGNORECASE)
DEPTH_NAME = re.compile(r"(\d{1,18})\.png", re.ASCII | re.IGNORECASE)
TEXT_NAME = re.compile(r"(\d{1,18})\.txt", re.ASCII | re.IGNORECASE)

_ENCODING = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}


def numbered(folder: Path, names: Mapping[str, re.Pattern[str]]) -> dict[str, dict[int, Path]]:
    """Files of a folder by part and frame number, from one look at the folder; an absent folder has none.

    `names` has for each part the pattern of its file names, whose first group is the number. ScanError when
    two files claim one number.
    """
    found: dict[str, dict[int, Path]] = {part: {} for part in names}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        for part, pattern in names.items():
            if not (match := pattern.fullmatch(path.name)):
                continue
            other = found[part].setdefault(int(match[1]), path)
            if other is not path:
                both = f"{other.name} and {path.name}"
                raise ScanError(
                    "two files for one frame", where=f"{folder.name}/", expected="one file an id", found=both
                )
    return found


def under(folder: Path, paths: Iterable[Path]) -> dict[str, Path]:
    """Files by their POSIX path below a folder."""
    return {path.relative_to(folder).as_posix(): path for path in paths}


def read_text(path: Path) -> str:
    """A text file of a scan; ScanError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScanError(f"cannot read the file: {error.strerror}", where=path.name) from error
    except UnicodeDecodeError as error:
        raise ScanError("not a text file", where=path.name, expected="UTF-8", found=error.reason) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a scan; ScanError when it is none."""
    try:
        value = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ScanError("not a JSON file", where=path.name, found=error) from error
    if not isinstance(value, dict):
        raise ScanError("not a JSON object", where=path.name, found=type(value).__name__)
    return value


def read_matrix(path: Path) -> Float64[np.ndarray, "r c"]:
    """A 3x3 or 4x4 matrix from a text file, one row a line; -inf and nan are allowed; else ScanError."""
    name = f"{path.parent.name}/{path.name}"
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [[float(word) for word in line.split()] for line in lines if line.strip()]
    except OSError as error:
        raise ScanError(f"cannot read the matrix: {error.strerror}", where=name) from error
    except ValueError as error:
        raise ScanError("not a matrix", where=name, expected="rows of numbers", found=error) from error
    if len(rows) not in (3, 4) or any(len(row) != len(rows) for row in rows):
        found = f"rows of {', '.join(str(len(row)) for row in rows[:8])} numbers" if rows else "an empty file"
        raise ScanError("not a matrix", where=name, expected="4 rows of 4 numbers", found=found)
    return np.array(rows, dtype=np.float64)


def read_pose(path: Path) -> Float64[np.ndarray, "4 4"] | str:
    """A stored pose, or why there is none."""
    try:
        matrix = read_matrix(path)
    except ScanError as error:
        return f"unreadable pose: {error.one_line()}"
    return matrix if matrix.shape == (4, 4) else "unreadable pose: 3x3 instead of 4x4"


def frame(
    folder: Path,
    frame_id: int,
    images: Mapping[str, Path | None],
    stored: Float[np.ndarray, "4 4"] | str,
    convention: Convention,
    timestamp_s: float = 0.0,
    require_depth: bool = True,
) -> RawFrame:
    """A frame of the images `color` and `depth` and a stored pose, or why there is none.

    What is missing is the frame's problem, the images first; depth may be, unless it is required.
    """
    color, depth = _ref(folder, images["color"]), _ref(folder, images["depth"])
    needed = (("color", color), ("depth", depth))[: 2 if require_depth else 1]
    lacking = [part for part, ref in needed if ref is NOWHERE]
    problem = f"no {' and no '.join(lacking)} file" if lacking else ""
    if isinstance(stored, str):
        return RawFrame(frame_id, color, depth, timestamp_s=timestamp_s, problem=problem or stored)
    T = convention.T_world_cam(stored)
    return RawFrame(frame_id, color, depth, T, timestamp_s, problem)


def posed_frames(
    folder: Path, parts: Mapping[str, Mapping[int, Path]], reading: Reading
) -> tuple[list[RawFrame], int]:
    """Frames of numbered files `color`, `depth` and `pose` (a matrix), strided; and how many there were."""
    ids = sorted(set().union(*parts.values()))
    frames = []
    for k in ids[:: reading.stride]:
        pose = parts["pose"].get(k)
        stored = "no pose file" if pose is None else read_pose(pose)
        images = {part: parts[part].get(k) for part in ("color", "depth")}
        frames.append(
            frame(folder, k, images, stored, reading.convention, require_depth=reading.require_depth)
        )
    return frames, len(ids)


def _ref(folder: Path, path: Path | None) -> PixelRef:
    if path is None or not path.is_file():
        return NOWHERE
    encoding = _ENCODING[path.suffix.lower()]
    return PixelRef(path.relative_to(folder).as_posix(), 0, path.stat().st_size, encoding)


def image_shape(part: str, images: Iterable[Path | None]) -> tuple[int, int]:
    """(width, height) of the first whole image; ScanError when there is none, with the first one's reason."""
    reason: ScanError | None = None
    for path in images:
        if path is None or not path.is_file():
            continue
        try:
            height, width = image_size(path.read_bytes(), f"{path.parent.name}/{path.name}")
        except ScanError as error:
            reason = reason or error
            continue
        except OSError as error:
            reason = reason or ScanError(f"cannot read the image: {error.strerror}", where=path.name)
            continue
        return width, height
    if reason is not None:
        raise reason
    hint = "with lift.depth.source: estimator, set extract.require_depth: false" if part == "depth" else None
    raise ScanError(
        f"no {part} images", where=f"{part}/", expected="one image a frame", found="none", hint=hint
    )


def depth_camera(
    images: Iterable[Path], intrinsics: Path, file: str, color: Pinhole, reading: Reading
) -> Pinhole:
    """The depth camera by its images and its matrix (`file` in messages).

    The colour camera where there is no depth image and none is required.
    """
    images = list(images)
    if not images and not reading.require_depth:
        return color
    stated = pinhole(*image_shape("depth", images), read_matrix(intrinsics), file)
    return stated.with_intrinsics(reading.depth_intrinsics)


def camera(shape: tuple[int, int], stated: Pinhole, given: Intrinsics | None) -> Pinhole:
    """The camera of images of a size (width, height): as given, else as stated, scaled to that size."""
    return stated.resized(*shape).with_intrinsics(given)


def registered(color: Pinhole, depth_shape: tuple[int, int], reading: Reading) -> tuple[Pinhole, Pinhole]:
    """Both cameras where depth is registered to colour: depth's is colour's at depth's (width, height)."""
    return color, color.resized(*depth_shape).with_intrinsics(reading.depth_intrinsics)


def scan(
    layout: str,
    reading: Reading,
    cameras: tuple[Pinhole, Pinhole],
    frames: list[RawFrame],
    recorded: int,
    extrinsics: bool = False,
) -> RawScan:
    """The scan as read, with the convention's depth unit and up axis."""
    return RawScan(
        color=cameras[0],
        depth=cameras[1],
        depth_unit_m=1.0 / reading.convention.depth_units_per_m,
        frames=frames,
        recorded=recorded,
        extrinsics=extrinsics,
        up=reading.convention.up,
        layout=layout,
    )
