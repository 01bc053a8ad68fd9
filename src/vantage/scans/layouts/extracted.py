"""A posed RGB-D folder in ScanNet's extracted layout.

`color/K.jpg` (or `.png`), `depth/K.png` (uint16), `pose/K.txt` (camera to world, 4x4), and
`intrinsic/intrinsic_color.txt`, `intrinsic/intrinsic_depth.txt`. Frame ids K need not be contiguous; the
parts of a frame are paired by id, and a frame that lacks one stays in the list with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_jpeg, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.images import by_number, ref, size_of
from vantage.scans.layouts.texts import matrix_text, read_matrix, square
from vantage.scans.raw import RawFrame, RawScan, is_identity, pinhole

#: Sub-folder, and the names of its files.
PARTS = {"color": r"(\d+)\.(?:jpe?g|png)", "depth": r"(\d+)\.png", "pose": r"(\d+)\.txt"}
INTRINSIC = "intrinsic"


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
        parts = {part: by_number((folder / part).iterdir(), name, part) for part, name in PARTS.items()}
        found = {f"{part}/{path.name}": path for part, paths in parts.items() for path in paths.values()}
        return found | {f"{INTRINSIC}/{path.name}": path for path in (folder / INTRINSIC).glob("*.txt")}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and pixel places; sizes come from the first whole images.

        Raises ScanError when there is no frame, no intrinsic matrix, or two files claim one id.
        """
        parts = {
            part: by_number((folder / part).iterdir(), name, f"{scan_id}, {part}")
            for part, name in PARTS.items()
        }
        ids = sorted(set().union(*parts.values()))
        if not ids:
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        frames = [
            frame_of(k, folder, {name: files.get(k) for name, files in parts.items()}, reading.convention)
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


def frame_of(frame_id: int, folder: Path, files: dict[str, Path | None], convention: Convention) -> RawFrame:
    """A frame of `color`, `depth` and `pose` files, each of which may be missing."""
    color, depth, pose = files["color"], files["depth"], files["pose"]
    refs = (ref(folder, color), ref(folder, depth))
    if lacking := [name for name, path in files.items() if path is None]:
        return RawFrame(frame_id, *refs, problem=f"no {' and no '.join(lacking)} file")
    assert pose is not None
    try:
        matrix = read_matrix(pose)
    except ScanError as error:
        return RawFrame(frame_id, *refs, problem=f"unreadable pose: {error.one_line()}")
    if matrix.shape != (4, 4):
        return RawFrame(frame_id, *refs, problem="unreadable pose: 3x3 instead of 4x4")
    return RawFrame(frame_id, *refs, T_raw_cam=convention.T_world_cam(matrix))


def _camera(folder: Path, part: str, images: Iterable[Path]) -> Pinhole:
    file = folder / INTRINSIC / f"intrinsic_{part}.txt"
    K = read_matrix(file)
    return pinhole(*size_of(images, part), K, f"{INTRINSIC}/{file.name}")


def _identity_file(path: Path) -> bool:
    return not path.is_file() or is_identity(read_matrix(path))


def write(recording: Recording, folder: Path, ids: Sequence[int] | None = None) -> None:
    """Write a recording in this layout; frames are numbered from 0 unless `ids` says otherwise."""
    for part in (*PARTS, INTRINSIC):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, camera in (("color", recording.color_camera), ("depth", recording.depth_camera)):
        (folder / INTRINSIC / f"intrinsic_{name}.txt").write_text(matrix_text(square(camera)))
    for k, frame_id in enumerate(ids or range(len(recording.color))):
        (folder / "color" / f"{frame_id}.jpg").write_bytes(encode_jpeg(recording.color[k]))
        (folder / "depth" / f"{frame_id}.png").write_bytes(encode_png16(recording.depth_mm[k]))
        pose = LAYOUT.convention.stored(recording.T_world_cam[k])
        (folder / "pose" / f"{frame_id}.txt").write_text(matrix_text(pose))


LAYOUT = ExtractedLayout()
