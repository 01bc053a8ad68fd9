"""What follows the frames of a `.sens`: motion records, and the frame ids of a packed file.

ScanNet's own writer ends with a u64 number of records of its motion sensor (five float64 vectors and a u64
time stamp each). Many writers leave that out, and readers of images do not look at it, so neither its absence
nor bytes nobody knows are an error. A file that Vantage packed (`vantage.scans.sens_pack`) says so in its
sensor name, holds no motion records, and ends with the u64 ids that its frames had where they came from.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from vantage.core.errors import ScanError
from vantage.scans.sens_format import SensHeader
from vantage.scans.sens_table import SensTable, damaged

PACKED = " [packed]"
"""The end of the sensor name of a packed file."""
NO_MOTION = struct.pack("<Q", 0)
_MOTION_BYTES = 5 * 24 + 8
_MAX_ID = 2**31


@dataclass(frozen=True)
class Tail:
    """Bytes after the frames: how many, how many motion records they are, how many nobody knows."""

    size: int
    motion_records: int
    unknown: int


def read_tail(handle: int, header: SensHeader, table: SensTable, file_bytes: int) -> Tail:
    """What the file holds after its last whole frame."""
    size = file_bytes - table.end
    if table.cut is not None or size < len(NO_MOTION):
        return Tail(size, 0, size)
    (count,) = struct.unpack("<Q", os.pread(handle, 8, table.end))
    known = len(NO_MOTION) + _MOTION_BYTES * count
    if header.sensor_name.endswith(PACKED):
        known += 8 * len(table)
    return Tail(size, count, size - known) if known <= size else Tail(size, 0, size)


def read_ids(
    handle: int, header: SensHeader, table: SensTable, file: str, file_bytes: int
) -> Int64[np.ndarray, "N"]:
    """The id of every frame: its index, or what a packed file says.

    Raises ScanError when a packed file lacks them or they do not rise.
    """
    if not header.sensor_name.endswith(PACKED):
        return np.arange(len(table), dtype=np.int64)
    at, size = table.end + len(NO_MOTION), 8 * len(table)
    if at + size != file_bytes:
        expected = f"the ids of {len(table)} packed frames, {size} bytes"
        raise damaged(file, at, expected, f"{max(file_bytes - at, 0)} bytes before the end")
    ids = np.frombuffer(os.pread(handle, size, at), dtype="<u8")
    if len(ids) and (ids.max() >= _MAX_ID or (ids[1:] <= ids[:-1]).any()):
        raise damaged(file, at, f"rising frame ids under {_MAX_ID}", "ids in disorder")
    return ids.astype(np.int64)


def ids_lost(cut: ScanError, header: SensHeader) -> ScanError:
    """The reason of a cut, with what it means for the ids of a packed file."""
    if header.sensor_name.endswith(PACKED):
        cut.message += "; the frame ids of this packed file were at its end, they restart at 0"
    return cut
