"""The frame records of a `.sens`, gathered by seeking past the images: one small read for each frame.

A record is kept as its 96 bytes until somebody asks, so a file of any size costs about 100 bytes a frame.
What does not fit the file ends the table; whether that is an error or a recorded reason is the reader's
choice.
"""

from __future__ import annotations

import os
import struct
from array import array
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from vantage.core.errors import ScanError
from vantage.scans.sens_format import FRAME, SensHeader

# More bytes for a pixel than any codec needs: a larger blob is garbage, not an image.
_MAX_BLOB_PER_PIXEL = 16
_LEAST_MAX_BLOB = 65536
_SIZES = struct.Struct("<80x2Q")
_RECORD = np.dtype(
    [("pose", "<f4", (4, 4)), ("t_color", "<u8"), ("t_depth", "<u8"), ("color", "<u8"), ("depth", "<u8")]
)


@dataclass(frozen=True, eq=False)
class SensTable:
    """Where the frames of a `.sens` lie.

    Attributes:
        records: the records as in the file: pose, two time stamps, two sizes in bytes.
        start: the byte at which each frame's colour starts; its depth follows.
        end: the byte after the last frame.
        cut: why the table ends before the header's number of frames; None when it does not.
    """

    records: np.ndarray
    start: Int64[np.ndarray, "N"]
    end: int
    cut: ScanError | None

    def __len__(self) -> int:
        return len(self.start)

    def poses(self) -> Float64[np.ndarray, "N 4 4"]:
        """Camera to world of every frame, as recorded."""
        return widened(self.records["pose"])


def widened(matrix: Float32[np.ndarray, "*n 4 4"]) -> Float64[np.ndarray, "*n 4 4"]:
    """The float32 matrices of a file as float64; damaged ones may hold NaNs that NumPy warns of."""
    with np.errstate(invalid="ignore"):
        return np.asarray(matrix, dtype=np.float64)


def read_table(handle: int, header: SensHeader, file: str, file_bytes: int) -> SensTable:
    """Walk over the frames of the open file `handle` of `file_bytes` bytes; no image is read."""
    records, starts = bytearray(), array("q")
    at, cut = header.header_bytes, None
    most_color, most_depth = _largest(header)
    read, sizes, record_bytes = os.pread, _SIZES.unpack, FRAME.size
    try:
        for index in range(header.frame_count):
            record = read(handle, record_bytes, at)
            start = at + record_bytes
            color, depth = sizes(record) if len(record) == record_bytes else (0, 0)
            if start + color + depth > file_bytes or color > most_color or depth > most_depth:
                cut = _why(header, file, file_bytes, index, at, (color, depth))
                break
            records += record
            starts.append(start)
            at = start + color + depth
    except OSError as error:
        raise ScanError(
            f"cannot read the .sens file: {error.strerror}", where=f"{file}, byte {at}"
        ) from error
    return SensTable(np.frombuffer(bytes(records), _RECORD), np.array(starts, dtype=np.int64), at, cut)


def _largest(header: SensHeader) -> tuple[int, int]:
    pixels = (header.color_width * header.color_height, header.depth_width * header.depth_height)
    color, depth = (max(_MAX_BLOB_PER_PIXEL * n, _LEAST_MAX_BLOB) for n in pixels)
    return color, depth


def _why(
    header: SensHeader, file: str, file_bytes: int, index: int, at: int, sizes: tuple[int, int]
) -> ScanError:
    """What is wrong with the record of frame `index` at byte `at`."""
    of = f"of frame {index} of {header.frame_count}"
    left = file_bytes - at
    if left < FRAME.size:
        return damaged(file, at, f"the {FRAME.size} byte record {of}", f"{left} bytes before the end")
    for k, (size, most) in enumerate(zip(sizes, _largest(header), strict=True)):
        if size > most:
            return damaged(file, at + 80 + 8 * k, f"an image of at most {most} bytes", f"{size} bytes {of}")
    expected = f"{sum(sizes)} bytes of images {of}"
    return damaged(file, at + FRAME.size, expected, f"{left - FRAME.size} bytes before the end")


def damaged(file: str, at: int, expected: str, found: str) -> ScanError:
    """The error for a `.sens` that is not what it says at byte `at`."""
    return ScanError(
        "the .sens file is cut short or damaged",
        where=f"{file}, byte {at}",
        expected=expected,
        found=found,
        hint="Fetch the file again and compare its size with the source, or take the frames before the "
        "damage: vantage sens export --salvage.",
    )
