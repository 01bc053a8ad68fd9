"""Opening a raw scan folder of either layout: a `.sens`, or ScanNet's extracted folders."""

from __future__ import annotations

from pathlib import Path

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import PixelRef
from vantage.scans.folder import is_extracted, open_folder
from vantage.scans.raw import RawFrame, RawScan, is_identity, pinhole
from vantage.scans.scannet import SENS, find
from vantage.scans.sens import SensReader
from vantage.scans.sens_format import SensHeader


def open_scan(folder: Path, scan_id: str, stride: int, depth_units_per_m: float) -> RawScan:
    """Cameras and frames of a raw scan folder, no image decoded.

    Every `stride`-th recorded frame is taken, counted before any is dropped, so that a lost pose shifts no
    other frame. `depth_units_per_m` holds for extracted folders; a `.sens` carries its own.
    """
    sens = find(folder, scan_id, SENS)
    if sens is not None:
        return _open_sens(sens, stride)
    if is_extracted(folder):
        return open_folder(folder, scan_id, stride, depth_units_per_m)
    raise ScanError(
        "no frames in the scan's folder",
        where=scan_id,
        expected=f"{scan_id}.sens, or the folders color, depth, pose and intrinsic",
        found=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
    )


def _open_sens(path: Path, stride: int) -> RawScan:
    with SensReader(path) as sens:
        head, table = sens.header, sens.frames()
    frames = [
        RawFrame(
            frame_id=f.frame_id,
            color=PixelRef(path.name, f.color_offset, f.color_size, head.color_compression),
            depth=PixelRef(path.name, f.depth_offset, f.depth_size, head.depth_compression),
            T_raw_cam=f.T_raw_cam,
            timestamp_s=f.timestamp_color / 1e6,
        )
        for f in table[::stride]
    ]
    return RawScan(
        *_cameras(head, path.name), 1.0 / head.depth_shift, frames, len(table), _has_extrinsics(head)
    )


def _cameras(head: SensHeader, file: str) -> tuple[Pinhole, Pinhole]:
    color = pinhole(head.color_width, head.color_height, head.intrinsic_color, f"{file}, intrinsic_color")
    depth = pinhole(head.depth_width, head.depth_height, head.intrinsic_depth, f"{file}, intrinsic_depth")
    return color, depth


def _has_extrinsics(head: SensHeader) -> bool:
    return not (is_identity(head.extrinsic_color) and is_identity(head.extrinsic_depth))
