"""The byte layout of ScanNet's `.sens` (version 4): header and frame record, packed and parsed.

Layout, little endian, as in `sensorData.h` of ScanNet/ScanNet:

* header: u32 version, u64 length and sensor name, four float32 4x4 matrices (colour intrinsic, colour
  extrinsic, depth intrinsic, depth extrinsic), i32 colour and i32 depth compression, u32 colour width and
  height, u32 depth width and height, f32 depth shift (units per metre), u64 number of frames;
* per frame: float32 4x4 camera-to-world, u64 colour and depth time stamps, u64 colour and depth sizes, blobs;
* after the frames: u64 number of IMU records and the records. They are not read.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vantage.core.errors import ScanError

VERSION = 4
FRAME = struct.Struct("<16f4Q")
_AFTER_NAME = struct.Struct("<64f2i4IfQ")
_COLOR = {0: "raw", 1: "png", 2: "jpeg"}
_DEPTH = {0: "raw_ushort", 1: "zlib_ushort", 2: "occi_ushort"}

#: Beyond these a header is garbage, not a camera: they bound what a reader will ever allocate.
MAX_NAME_BYTES = 4096
MAX_SIDE_PX = 16384
#: Over two hours at 30 frames a second. A sparse file has room for any number of frames without images.
MAX_FRAMES = 250_000


@dataclass(frozen=True)
class SensHeader:
    """What a `.sens` says of all its frames: 4x4 matrices, sizes in pixels, depth units per metre."""

    sensor_name: str
    intrinsic_color: Float32[np.ndarray, "4 4"]
    extrinsic_color: Float32[np.ndarray, "4 4"]
    intrinsic_depth: Float32[np.ndarray, "4 4"]
    extrinsic_depth: Float32[np.ndarray, "4 4"]
    color_compression: str
    depth_compression: str
    color_width: int
    color_height: int
    depth_width: int
    depth_height: int
    depth_shift: float
    frame_count: int

    @property
    def header_bytes(self) -> int:
        """The byte at which the first frame record starts."""
        return 4 + 8 + len(self.sensor_name.encode()) + _AFTER_NAME.size


def pack_header(header: SensHeader) -> bytes:
    """The bytes of `header`; the frame count is their last eight."""
    name = header.sensor_name.encode()
    matrices = [
        header.intrinsic_color,
        header.extrinsic_color,
        header.intrinsic_depth,
        header.extrinsic_depth,
    ]
    numbers = np.concatenate([np.asarray(m, dtype=np.float32).reshape(16) for m in matrices]).tolist()
    color = {v: k for k, v in _COLOR.items()}[header.color_compression]
    depth = {v: k for k, v in _DEPTH.items()}[header.depth_compression]
    sizes = (header.color_width, header.color_height, header.depth_width, header.depth_height)
    tail = _AFTER_NAME.pack(*numbers, color, depth, *sizes, header.depth_shift, header.frame_count)
    return struct.pack("<IQ", VERSION, len(name)) + name + tail


def parse_header(start: bytes, file: str, file_bytes: int) -> SensHeader:
    """Read the header from the first bytes of a file of `file_bytes` bytes.

    `start` needs at most `HEADER_READ` bytes. Raises ScanError naming `file`, the byte, what was expected
    there and what was found.
    """
    version, name_bytes = struct.unpack_from("<IQ", _need(start, 0, 12, file))
    if version != VERSION:
        raise _bad(file, 0, f"version {VERSION}", f"version {version}", "Is this a .sens file of ScanNet v2?")
    if name_bytes > MAX_NAME_BYTES:
        raise _bad(file, 4, f"a sensor name of at most {MAX_NAME_BYTES} bytes", f"{name_bytes} bytes")
    at = 12 + name_bytes
    _need(start, 12, at + _AFTER_NAME.size, file)
    try:
        name = start[12:at].decode()
    except UnicodeDecodeError as error:
        raise _bad(file, 12, "a sensor name in UTF-8", repr(start[12:at][:40])) from error
    values = _AFTER_NAME.unpack_from(start, at)
    matrices = np.array(values[:64], dtype=np.float32).reshape(4, 4, 4)
    color, depth, *sizes, shift, count = values[64:]
    header = SensHeader(
        sensor_name=name,
        intrinsic_color=matrices[0],
        extrinsic_color=matrices[1],
        intrinsic_depth=matrices[2],
        extrinsic_depth=matrices[3],
        color_compression=_named(_COLOR, color, file, at + 256, "colour"),
        depth_compression=_named(_DEPTH, depth, file, at + 260, "depth"),
        color_width=sizes[0],
        color_height=sizes[1],
        depth_width=sizes[2],
        depth_height=sizes[3],
        depth_shift=shift,
        frame_count=count,
    )
    _check(header, file, at, file_bytes)
    return header


HEADER_READ = 12 + MAX_NAME_BYTES + _AFTER_NAME.size


def _check(header: SensHeader, file: str, at: int, file_bytes: int) -> None:
    sizes = (header.color_width, header.color_height, header.depth_width, header.depth_height)
    for k, side in enumerate(sizes):
        if not 1 <= side <= MAX_SIDE_PX:
            raise _bad(file, at + 264 + 4 * k, f"an image side of 1 to {MAX_SIDE_PX} pixels", str(side))
    if not (math.isfinite(header.depth_shift) and header.depth_shift > 0):
        raise _bad(file, at + 280, "a positive depth shift (units per metre)", str(header.depth_shift))
    for k, (what, matrix) in enumerate(
        [("colour", header.intrinsic_color), ("depth", header.intrinsic_depth)]
    ):
        if not np.isfinite(matrix).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
            found = f"fx {matrix[0, 0]}, fy {matrix[1, 1]}"
            raise _bad(file, at + 128 * k, f"a finite {what} intrinsic matrix, focal lengths > 0", found)
    room = (file_bytes - header.header_bytes) // FRAME.size
    if header.frame_count > room:
        expected = f"at most {room} frames in a file of {file_bytes} bytes"
        raise _bad(file, at + 284, expected, f"{header.frame_count} frames", "The file may be cut short.")
    if header.frame_count > MAX_FRAMES:
        raise _bad(file, at + 284, f"at most {MAX_FRAMES} frames", f"{header.frame_count} frames")


def _named(table: dict[int, str], code: int, file: str, at: int, what: str) -> str:
    if code not in table:
        known = ", ".join(f"{k} ({v})" for k, v in table.items())
        raise _bad(file, at, f"a {what} compression among {known}", str(code))
    return table[code]


def _need(data: bytes, start: int, end: int, file: str) -> bytes:
    if len(data) < end:
        left = max(len(data) - start, 0)
        raise _bad(file, start, f"{end - start} bytes of header", f"{left} bytes before the end")
    return data


def _bad(file: str, at: int, expected: str, found: str, hint: str | None = None) -> ScanError:
    return ScanError(
        "bad .sens header", where=f"{file}, byte {at}", expected=expected, found=found, hint=hint
    )
