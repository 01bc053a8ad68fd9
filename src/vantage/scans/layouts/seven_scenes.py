"""7-Scenes: `frame-000000.color.png`, `.depth.png` and `.pose.txt` in one folder.

The folder has no intrinsics. The dataset states 585 pixels of focal length and (320, 240) for its depth;
colour is not registered to it, and common practice is 525 for colour. Holes are 0 and 65535.
"""

from __future__ import annotations

from pathlib import Path

from vantage.core.errors import ScanError
from vantage.records.frames import Intrinsics
from vantage.scans.codecs import encode_png, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.frames import numbered_scan
from vantage.scans.layouts.images import by_number
from vantage.scans.layouts.texts import matrix_text, read_intrinsics, read_matrix
from vantage.scans.raw import RawScan

COLOR: Intrinsics = (525.0, 525.0, 320.0, 240.0)
DEPTH: Intrinsics = (585.0, 585.0, 320.0, 240.0)
_PARTS = {part: rf"frame-(\d+)\.{part}" for part in (r"color\.png", r"depth\.png", r"pose\.txt")}


class SevenScenesLayout:
    """`frame-000000.color.png`, `frame-000000.depth.png`, `frame-000000.pose.txt`.

    Files `intrinsics_color.txt` and `intrinsics_depth.txt` (fx fy cx cy) beside them go before the stated
    ones.
    """

    name = "seven_scenes"
    example = "frame-000000.color.png, frame-000000.depth.png, frame-000000.pose.txt"
    convention = Convention()

    def recognises(self, folder: Path) -> bool:
        """Whether there is a pose of this name."""
        return next(folder.glob("frame-*.pose.txt"), None) is not None

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, poses, and intrinsics where there are some."""
        paths = [path for part in self._parts(folder, scan_id) for path in part.values()]
        own = [path for name in ("color", "depth") if (path := folder / f"intrinsics_{name}.txt").is_file()]
        return {path.name: path for path in paths + own}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; a pose that cannot be read costs its frame."""
        color, depth, pose_files = self._parts(folder, scan_id)
        poses, broken = {}, []
        for k, path in pose_files.items():
            try:
                matrix = read_matrix(path)
            except ScanError as error:
                broken.append(error)
                continue
            if matrix.shape == (4, 4):
                poses[k] = matrix
        if broken and not poses:
            raise broken[0]
        intrinsics = _own(folder, "color", COLOR), _own(folder, "depth", DEPTH)
        return numbered_scan(folder, scan_id, color, depth, poses, reading, intrinsics, self.name)

    def _parts(self, folder: Path, scan_id: str) -> list[dict[int, Path]]:
        files = list(folder.iterdir())
        return [by_number(files, pattern, scan_id) for pattern in _PARTS.values()]


def _own(folder: Path, part: str, otherwise: Intrinsics) -> Intrinsics:
    path = folder / f"intrinsics_{part}.txt"
    return read_intrinsics(path) if path.is_file() else otherwise


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout, holes as 65535."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, camera in (("color", recording.color_camera), ("depth", recording.depth_camera)):
        text = f"{camera.fx!r} {camera.fy!r} {camera.cx!r} {camera.cy!r}\n"
        (folder / f"intrinsics_{part}.txt").write_text(text)
    for k, T_world_cam in enumerate(recording.T_world_cam):
        depth = recording.depth_mm[k].copy()
        depth[depth == 0] = 65535
        stem = f"frame-{k:06d}"
        (folder / f"{stem}.color.png").write_bytes(encode_png(recording.color[k]))
        (folder / f"{stem}.depth.png").write_bytes(encode_png16(depth))
        (folder / f"{stem}.pose.txt").write_text(matrix_text(LAYOUT.convention.stored(T_world_cam)))


LAYOUT = SevenScenesLayout()
