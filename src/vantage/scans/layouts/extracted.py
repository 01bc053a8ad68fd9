"""A posed RGB-D folder in ScanNet's extracted layout.

`color/K.jpg` (or `.png`), `depth/K.png` (uint16), `pose/K.txt` (camera to world, 4x4), and
`intrinsic/intrinsic_color.txt`, `intrinsic/intrinsic_depth.txt`. Frame ids K need not be contiguous; the
parts of a frame are paired by id, and a frame that lacks one stays in the list with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import PixelRef
from vantage.scans.codecs import image_size
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading
from vantage.scans.raw import NOWHERE, RawFrame, RawScan, is_identity, pinhole

#: Sub-folder, and the endings of its files.
PARTS = {"color": (".jpg", ".jpeg", ".png"), "depth": (".png",), "pose": (".txt",)}
INTRINSIC = "intrinsic"
_ENCODING = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}


class ExtractedLayout:
    """ScanNet's extracted layout."""

    name = "extracted"
    example = "color/0.jpg, depth/0.png, pose/0.txt, intrinsic/intrinsic_color.txt"
    convention = Convention(up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether the four sub-folders are there."""
        return all((folder / name).is_dir() for name in (*PARTS, INTRINSIC))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, poses and matrices."""
        return {
            f"{part}/{path.name}": path
            for part, endings in {**PARTS, INTRINSIC: (".txt",)}.items()
            for path in (folder / part).iterdir()
            if path.suffix.lower() in endings and not path.name.startswith(".")
        }

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and pixel places; sizes come from the first whole images.

        Raises ScanError when there is no frame, no intrinsic matrix, or two files claim one id.
        """
        parts = {name: _by_id(folder / name, endings, scan_id) for name, endings in PARTS.items()}
        ids = sorted(set().union(*parts.values()))
        if not ids:
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        frames = [
            _frame(k, folder, {name: files.get(k) for name, files in parts.items()}, reading.convention)
            for k in ids[:: reading.stride]
        ]
        color = _camera(folder, "color", parts["color"].values())
        depth = _camera(folder, "depth", parts["depth"].values())
        recorded = [folder / INTRINSIC / f"extrinsic_{part}.txt" for part in ("color", "depth")]
        return RawScan(
            color=color.with_intrinsics(reading.color_intrinsics),
            depth=depth.with_intrinsics(reading.depth_intrinsics),
            depth_unit_m=1.0 / reading.convention.depth_units_per_m,
            frames=frames,
            recorded=len(ids),
            extrinsics=not all(_identity_file(path) for path in recorded),
            up=reading.convention.up,
            layout=self.name,
        )


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


def _by_id(folder: Path, endings: tuple[str, ...], scan_id: str) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in endings or not path.stem.isascii() or not path.stem.isdigit():
            continue
        other = found.setdefault(int(path.stem), path)
        if other is not path:
            where, names = f"{scan_id}, {folder.name}", f"{other.name} and {path.name}"
            raise ScanError("two files for one frame", where=where, expected="one file an id", found=names)
    return found


def _frame(frame_id: int, folder: Path, files: dict[str, Path | None], convention: Convention) -> RawFrame:
    color, depth, pose = files["color"], files["depth"], files["pose"]
    if lacking := [name for name, path in files.items() if path is None]:
        problem = f"no {' and no '.join(lacking)} file"
        return RawFrame(frame_id, _ref(folder, color), _ref(folder, depth), problem=problem)
    assert pose is not None
    refs = (_ref(folder, color), _ref(folder, depth))
    try:
        matrix = read_matrix(pose)
    except ScanError as error:
        return RawFrame(frame_id, *refs, problem=f"unreadable pose: {error.one_line()}")
    if matrix.shape != (4, 4):
        return RawFrame(frame_id, *refs, problem="unreadable pose: 3x3 instead of 4x4")
    return RawFrame(frame_id, *refs, T_raw_cam=convention.T_world_cam(matrix))


def _ref(folder: Path, path: Path | None) -> PixelRef:
    if path is None:
        return NOWHERE
    encoding = _ENCODING[path.suffix.lower()]
    return PixelRef(path.relative_to(folder).as_posix(), 0, path.stat().st_size, encoding)


def _camera(folder: Path, part: str, images: Iterable[Path]) -> Pinhole:
    K = read_matrix(folder / INTRINSIC / f"intrinsic_{part}.txt")
    reason: ScanError | None = None
    for path in images:
        try:
            height, width = image_size(path.read_bytes(), f"{part}/{path.name}")
        except ScanError as error:
            reason = reason or error
            continue
        return pinhole(width, height, K, f"{INTRINSIC}/intrinsic_{part}.txt")
    if reason is not None:
        raise reason
    raise ScanError(f"no {part} images", where=f"{part}/", expected="one image a frame", found="none")


def _identity_file(path: Path) -> bool:
    return not path.is_file() or is_identity(read_matrix(path))


LAYOUT = ExtractedLayout()
