"""A posed RGB-D folder in ScanNet's extracted layout.

`color/K.jpg` (or `.png`), `depth/K.png` (uint16), `pose/K.txt` (camera to world, 4x4), and
`intrinsic/intrinsic_color.txt`, `intrinsic/intrinsic_depth.txt`. Frame ids K need not be contiguous; the
parts of a frame are paired by id, and a frame that lacks one stays in the list with the reason.
"""

from __future__ import annotations

from pathlib import Path

from vantage.core.errors import ScanError
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording
from vantage.scans.layouts.parts import (
    COLOR_NAME,
    DEPTH_NAME,
    TEXT_NAME,
    depth_camera,
    image_shape,
    numbered,
    posed_frames,
    read_matrix,
    scan,
    under,
)
from vantage.scans.layouts.writing import save_color, save_depth, save_intrinsics, save_matrix
from vantage.scans.raw import RawScan, is_identity, pinhole

#: Sub-folder, and the names of its files.
PARTS = {"color": COLOR_NAME, "depth": DEPTH_NAME, "pose": TEXT_NAME}
INTRINSIC = "intrinsic"


class ExtractedLayout:
    """ScanNet's extracted layout."""

    name = "extracted"
    example = "color/0.jpg, depth/0.png, pose/0.txt, intrinsic/intrinsic_color.txt"
    convention = Convention(up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether the sub-folders are there; that of depth may be missing."""
        return all((folder / name).is_dir() for name in ("color", "pose", INTRINSIC))

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, poses and matrices."""
        found = [
            path for part in PARTS for path in numbered(folder / part, {part: PARTS[part]})[part].values()
        ]
        matrices = (folder / INTRINSIC).glob("*.txt")
        return under(folder, [*found, *(path for path in matrices if not path.name.startswith("."))])

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and pixel places; sizes come from the first whole images.

        Raises ScanError when there is no frame, no intrinsic matrix, or two files claim one id.
        """
        parts = {part: numbered(folder / part, {part: PARTS[part]})[part] for part in PARTS}
        if not any(parts.values()):
            raise ScanError("no frames in the scan's folder", where=scan_id, expected=self.example)
        frames, recorded = posed_frames(folder, parts, reading)
        matrices = [f"{INTRINSIC}/intrinsic_{part}.txt" for part in ("color", "depth")]
        stated = pinhole(
            *image_shape("color", parts["color"].values()), read_matrix(folder / matrices[0]), matrices[0]
        )
        color = stated.with_intrinsics(reading.color_intrinsics)
        depth = depth_camera(parts["depth"].values(), folder / matrices[1], matrices[1], color, reading)
        placed = [folder / INTRINSIC / f"extrinsic_{part}.txt" for part in ("color", "depth")]
        extrinsics = not all(_identity_file(path) for path in placed)
        return scan(self.name, reading, (color, depth), frames, recorded, extrinsics)


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout; the position of a frame is its id."""
    for k, T in enumerate(recording.T_world_cam):
        save_color(folder / "color" / f"{k}.jpg", recording.color[k])
        save_depth(folder / "depth" / f"{k}.png", recording.depth_mm[k], LAYOUT.convention)
        save_matrix(folder / "pose" / f"{k}.txt", LAYOUT.convention.stored(T))
    save_intrinsics(folder / INTRINSIC / "intrinsic_color.txt", recording.color_camera)
    save_intrinsics(folder / INTRINSIC / "intrinsic_depth.txt", recording.depth_camera)


def _identity_file(path: Path) -> bool:
    return not path.is_file() or is_identity(read_matrix(path))


LAYOUT = ExtractedLayout()
