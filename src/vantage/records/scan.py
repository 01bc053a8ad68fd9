"""What is known of a scan as a whole: cameras, worlds, units."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core import atomic
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Frame
from vantage.records.jsonfile import read_json_record

SCAN_FILE = "scan.json"
VERSION = 1


@dataclass(frozen=True)
class ScanMeta:
    """Facts that hold for every frame of a scan.

    Attributes:
        scan_id: for instance `scene0000_01`.
        room_id: the room it was taken in (`scene0000`); splits follow it.
        T_aligned_raw: maps the world as scanned to the aligned world (z up, floor at z = 0), metres.
        color: the colour camera; shares its centre and axes with the depth camera. A frame may have
            intrinsics of its own (`color_of`).
        depth: the depth camera, with a size and intrinsics of its own.
        depth_unit_m: metres of one unit of the stored uint16 depth.
        labelled: whether the scan has objects.
    """

    scan_id: str
    room_id: str
    T_aligned_raw: Float64[np.ndarray, "4 4"]
    color: Pinhole
    depth: Pinhole
    depth_unit_m: float
    labelled: bool

    def color_of(self, frame: Frame) -> Pinhole:
        """The colour camera of a frame: the scan's, with the frame's own intrinsics where it has some."""
        return self.color.with_intrinsics(frame.color_intrinsics)

    def depth_of(self, frame: Frame) -> Pinhole:
        """The depth camera of a frame."""
        return self.depth.with_intrinsics(frame.depth_intrinsics)


def room_of(scan_id: str) -> str:
    """The room a scan was taken in: ScanNet numbers repeated scans of a room `_00`, `_01`, ..."""
    return re.sub(r"_\d\d$", "", scan_id)


def write_scan(folder: Path, meta: ScanMeta) -> None:
    """Write `scan.json` into a scan's folder."""
    atomic.write_json(
        folder / SCAN_FILE,
        {
            "record": "scan",
            "version": VERSION,
            "scan_id": meta.scan_id,
            "room_id": meta.room_id,
            "T_aligned_raw": np.asarray(meta.T_aligned_raw, dtype=np.float64).tolist(),
            "color": meta.color.to_dict(),
            "depth": meta.depth.to_dict(),
            "depth_unit_m": meta.depth_unit_m,
            "labelled": meta.labelled,
        },
    )


def read_scan(folder: Path) -> ScanMeta:
    """Read `scan.json` of a scan's folder; `ContractError` when it is missing or of another version."""
    value = read_json_record(folder / SCAN_FILE, "scan", VERSION)
    return ScanMeta(
        scan_id=value["scan_id"],
        room_id=value["room_id"],
        T_aligned_raw=np.asarray(value["T_aligned_raw"], dtype=np.float64),
        color=Pinhole.from_dict(value["color"]),
        depth=Pinhole.from_dict(value["depth"]),
        depth_unit_m=float(value["depth_unit_m"]),
        labelled=bool(value["labelled"]),
    )
