"""The `posed_images` layout of detection code for ScanNet: colour, depth and pose of a frame in one
folder."""

from __future__ import annotations

from pathlib import Path

from vantage.core.errors import ScanError
from vantage.scans.codecs import encode_jpeg, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.extracted import frame_of
from vantage.scans.layouts.images import by_number, size_of
from vantage.scans.layouts.texts import matrix_text, read_intrinsics, square
from vantage.scans.raw import RawScan, camera_of

COLOR, DEPTH = "intrinsic.txt", "depth_intrinsic.txt"
_PARTS = {"color": r"(\d+)\.jpe?g", "depth": r"(\d+)\.png", "pose": r"(\d+)\.txt"}


class PosedImagesLayout:
    """`00000.jpg`, `00000.png`, `00000.txt` (camera to world) and the two intrinsic matrices."""

    name = "posed_images"
    example = "00000.jpg, 00000.png, 00000.txt, intrinsic.txt, depth_intrinsic.txt"
    convention = Convention(up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether both intrinsic files are there."""
        return all((folder / name).is_file() for name in (COLOR, DEPTH))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Numbered files and the two matrices."""
        parts = self._parts(folder, scan_id)
        found = {path.name: path for part in parts.values() for path in part.values()}
        return found | {name: folder / name for name in (COLOR, DEPTH)}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; ScanError without frames or intrinsics."""
        parts = self._parts(folder, scan_id)
        ids = sorted(set().union(*parts.values()))
        if not ids:
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        cameras = {}
        for part, file in (("color", COLOR), ("depth", DEPTH)):
            size = size_of(parts[part].values(), part)
            cameras[part] = camera_of(size, read_intrinsics(folder / file), file)
        return RawScan(
            color=cameras["color"].with_intrinsics(reading.color_intrinsics),
            depth=cameras["depth"].with_intrinsics(reading.depth_intrinsics),
            depth_unit_m=1.0 / reading.convention.depth_units_per_m,
            frames=[
                frame_of(k, folder, {name: files.get(k) for name, files in parts.items()}, reading.convention)
                for k in ids[:: reading.stride]
            ],
            recorded=len(ids),
            extrinsics=False,
            up=reading.convention.up,
            layout=self.name,
        )

    def _parts(self, folder: Path, scan_id: str) -> dict[str, dict[int, Path]]:
        files = list(folder.iterdir())
        return {part: by_number(files, pattern, f"{scan_id}, {part}") for part, pattern in _PARTS.items()}


def write(recording: Recording, folder: Path, ids: list[int] | None = None) -> None:
    """Write a recording in this layout; frames are numbered from 0 unless `ids` says otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COLOR).write_text(matrix_text(square(recording.color_camera)))
    (folder / DEPTH).write_text(matrix_text(square(recording.depth_camera)))
    for k, frame_id in enumerate(ids or range(len(recording.color))):
        (folder / f"{frame_id:05d}.jpg").write_bytes(encode_jpeg(recording.color[k]))
        (folder / f"{frame_id:05d}.png").write_bytes(encode_png16(recording.depth_mm[k]))
        pose = LAYOUT.convention.stored(recording.T_world_cam[k])
        (folder / f"{frame_id:05d}.txt").write_text(matrix_text(pose))


LAYOUT = PosedImagesLayout()
