"""ICL-NUIM: rendered rooms in TUM's image formats, with a camera whose fy is negative.

Its calibration has fx 481.2 and fy -480: image rows run against the camera's y axis, so x is right, y up and
z forward, a left-handed camera in the left-handed world of its renderer (POV-Ray). Turning both y axes round
(`mirrored`) gives the room as it was rendered, right-handed, with fy 480. Poses are `number tx ty tz qx qy
qz qw`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vantage.core.errors import ScanError
from vantage.records.frames import Intrinsics
from vantage.scans.codecs import encode_png, encode_png16
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading, Recording, stored_depth
from vantage.scans.layouts.frames import numbered_scan
from vantage.scans.layouts.images import by_number
from vantage.scans.layouts.texts import poses_of, quaternions_of, read_intrinsics, read_table
from vantage.scans.raw import RawScan

DEFAULT: Intrinsics = (481.2, -480.0, 319.5, 239.5)
INTRINSICS = "intrinsics.txt"
TRAJECTORY = ".gt.freiburg"


class IclNuimLayout:
    """`rgb/0.png`, `depth/0.png`, `*.gt.freiburg`. A frame's id is its number."""

    name = "icl_nuim"
    example = "livingRoom0.gt.freiburg, rgb/0.png, depth/0.png"
    convention = Convention(camera_axes="mirrored", depth_units_per_m=5000.0, up="-y")

    def recognises(self, folder: Path) -> bool:
        """Whether there is a trajectory of this ending, with images."""
        with_images = (folder / "rgb").is_dir() and (folder / "depth").is_dir()
        return with_images and next(folder.glob(f"*{TRAJECTORY}"), None) is not None

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """Images, trajectory, and intrinsics where there are some."""
        paths = [path for part in self._images(folder, scan_id) for path in part.values()]
        paths += sorted(folder.glob(f"*{TRAJECTORY}"))
        paths += [path for name in (INTRINSICS, "associations.txt") if (path := folder / name).is_file()]
        return {path.relative_to(folder).as_posix(): path for path in paths}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Cameras, poses and places of pixels; ScanError when there is not one trajectory."""
        color, depth = self._images(folder, scan_id)
        found = sorted(folder.glob(f"*{TRAJECTORY}"))
        if len(found) != 1:
            names = ", ".join(path.name for path in found)
            raise ScanError("several trajectories", where=scan_id, expected=f"one *{TRAJECTORY}", found=names)
        table = read_table(found[0], 8)
        stored = poses_of(table[:, 1:4], table[:, 4:])
        poses = {int(k): stored[i] for i, k in enumerate(table[:, 0]) if np.isfinite(k)}
        fx, fy, cx, cy = read_intrinsics(folder / INTRINSICS) if (folder / INTRINSICS).is_file() else DEFAULT
        # The sign of fy is in the convention of the poses.
        own = (fx, abs(fy), cx, cy)
        return numbered_scan(folder, scan_id, color, depth, poses, reading, (own, own), self.name)

    def _images(self, folder: Path, scan_id: str) -> tuple[dict[int, Path], dict[int, Path]]:
        color = by_number((folder / "rgb").iterdir(), r"(\d+)\.png", f"{scan_id}, rgb")
        return color, by_number((folder / "depth").iterdir(), r"(\d+)\.png", f"{scan_id}, depth")


def write(recording: Recording, folder: Path) -> None:
    """Write a recording in this layout; depth and colour of one camera."""
    for part in ("rgb", "depth"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    camera = recording.color_camera
    (folder / INTRINSICS).write_text(f"{camera.fx!r} {-camera.fy!r} {camera.cx!r} {camera.cy!r}\n")
    stored = np.stack([LAYOUT.convention.stored(T) for T in recording.T_world_cam])
    lines = []
    for k, q in enumerate(quaternions_of(stored)):
        (folder / "rgb" / f"{k}.png").write_bytes(encode_png(recording.color[k]))
        depth = stored_depth(recording.depth_mm[k], LAYOUT.convention.depth_units_per_m)
        (folder / "depth" / f"{k}.png").write_bytes(encode_png16(depth))
        numbers = [*stored[k, :3, 3].tolist(), *q.tolist()]
        if np.isfinite(numbers).all():
            lines.append(" ".join([str(k), *(f"{value:.12g}" for value in numbers)]))
    (folder / f"room{TRAJECTORY}").write_text("\n".join(lines) + "\n")


LAYOUT = IclNuimLayout()
