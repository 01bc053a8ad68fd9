"""ScanNet's raw scan folder: one `.sens` with all frames."""

from __future__ import annotations

from pathlib import Path

from vantage.geometry.camera import Pinhole
from vantage.records.frames import PixelRef
from vantage.scans.conventions import Convention
from vantage.scans.layouts.base import Reading
from vantage.scans.packed_ids import beside, read_ids
from vantage.scans.raw import RawFrame, RawScan, is_identity, pinhole
from vantage.scans.scannet import SENS, find
from vantage.scans.sens import SensReader
from vantage.scans.sens_format import SensHeader


class SensLayout:
    """`<scan>.sens`. Frame ids are positions in the file, or those of the file it was packed from."""

    name = "scannet"
    example = "scene0000_00.sens"
    convention = Convention(up="z")

    def recognises(self, folder: Path) -> bool:
        """Whether there is a `.sens`."""
        return any(p.name.endswith(SENS) and not p.name.startswith(".") for p in folder.iterdir())

    def files(self, folder: Path, scan_id: str) -> dict[str, Path]:
        """The `.sens`, and the note of its frame ids if there is one."""
        sens = find(folder, scan_id, SENS)
        if sens is None:
            return {}
        return {path.name: path for path in (sens, beside(sens)) if path.is_file()}

    def read(self, folder: Path, scan_id: str, reading: Reading) -> RawScan:
        """Its header and the records of its frames; the file's own depth scale holds."""
        path = next(iter(self.files(folder, scan_id).values()))
        with SensReader(path) as sens:
            head, table, ids = sens.header, sens.frames(), read_ids(path, sens.poses())
        frames = [
            RawFrame(
                frame_id=ids[f.index],
                color=PixelRef(path.name, f.color_offset, f.color_size, head.color_compression),
                depth=PixelRef(path.name, f.depth_offset, f.depth_size, head.depth_compression),
                T_raw_cam=reading.convention.T_world_cam(f.T_raw_cam),
                timestamp_s=f.timestamp_color / 1e6,
            )
            for f in table[:: reading.stride]
        ]
        color, depth = _cameras(head, path.name)
        return RawScan(
            color=color.with_intrinsics(reading.color_intrinsics),
            depth=depth.with_intrinsics(reading.depth_intrinsics),
            depth_unit_m=1.0 / head.depth_shift,
            frames=frames,
            recorded=len(table),
            extrinsics=not (is_identity(head.extrinsic_color) and is_identity(head.extrinsic_depth)),
            up=reading.convention.up,
            layout=self.name,
        )


def _cameras(head: SensHeader, file: str) -> tuple[Pinhole, Pinhole]:
    color = pinhole(head.color_width, head.color_height, head.intrinsic_color, f"{file}, intrinsic_color")
    depth = pinhole(head.depth_width, head.depth_height, head.intrinsic_depth, f"{file}, intrinsic_depth")
    return color, depth


LAYOUT = SensLayout()
