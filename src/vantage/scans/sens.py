"""Read and write ScanNet's `.sens` files without ever holding one in memory.

Poses are read by seeking past the images: about a thousand times faster than unpacking them. An image is
decoded only when asked for, from its own bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float, Float64, UInt8, UInt16

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_color, decode_depth, encode_depth
from vantage.scans.sens_format import FRAME, HEADER_READ, SensHeader, pack_header, parse_header

# More bytes for a pixel than any codec needs: a larger blob is garbage, not an image.
_MAX_BLOB_PER_PIXEL = 16


@dataclass(frozen=True)
class SensFrame:
    """Where one frame lies in its file, and its pose. Offsets and sizes in bytes, time stamps as recorded."""

    index: int
    T_raw_cam: Float64[np.ndarray, "4 4"]
    timestamp_color: int
    timestamp_depth: int
    color_offset: int
    color_size: int
    depth_offset: int
    depth_size: int


class SensReader:
    """A `.sens` opened for reading. Use as a context manager.

    `T_raw_cam` is camera to world as recorded; lost tracking shows as -inf and is left to the caller.
    Every method raises ScanError naming file, byte, expected and found when the file is cut short or garbage.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise ScanError(f"cannot open the .sens file: {error.strerror}", where=str(path)) from error
        try:
            self._bytes = os.fstat(self._fd).st_size
            self.header: SensHeader = parse_header(os.pread(self._fd, HEADER_READ, 0), path.name, self._bytes)
        except BaseException:
            os.close(self._fd)
            raise
        self._table: list[SensFrame] | None = None

    def __enter__(self) -> SensReader:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        return self.header.frame_count

    def frames(self) -> list[SensFrame]:
        """Every frame's pose and place, images untouched."""
        if self._table is None:
            self._table = list(self._scan())
        return self._table

    def color(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The colour image of frame `index` as RGB."""
        frame, head = self._frame(index), self.header
        data = self.blob(frame.color_offset, frame.color_size)
        where = f"{self.path.name}, frame {index}, byte {frame.color_offset}"
        return decode_color(data, head.color_compression, (head.color_height, head.color_width), where)

    def depth(self, index: int) -> UInt16[np.ndarray, "h w"]:
        """The depth image of frame `index` in the file's own units (`header.depth_shift` per metre)."""
        frame, head = self._frame(index), self.header
        data = self.blob(frame.depth_offset, frame.depth_size)
        where = f"{self.path.name}, frame {index}, byte {frame.depth_offset}"
        return decode_depth(data, head.depth_compression, (head.depth_height, head.depth_width), where)

    def blob(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`."""
        data = os.pread(self._fd, size, offset)
        if len(data) != size:
            raise self._cut(offset, f"{size} bytes", f"{len(data)} bytes before the end")
        return data

    def _frame(self, index: int) -> SensFrame:
        if not 0 <= index < len(self):
            expected = f"0 to {len(self) - 1}"
            raise ScanError("no such frame", where=self.path.name, expected=expected, found=index)
        return self.frames()[index]

    def _scan(self) -> Iterator[SensFrame]:
        at, head = self.header.header_bytes, self.header
        most = _MAX_BLOB_PER_PIXEL * max(
            head.color_width * head.color_height, head.depth_width * head.depth_height, 4096
        )
        for index in range(head.frame_count):
            record = os.pread(self._fd, FRAME.size, at)
            if len(record) != FRAME.size:
                what = f"the {FRAME.size} byte record of frame {index} of {head.frame_count}"
                raise self._cut(at, what, f"{len(record)} bytes before the end")
            *pose, t_color, t_depth, color, depth = FRAME.unpack(record)
            for k, size in enumerate((color, depth)):
                if size > most:
                    raise self._cut(at + 80 + 8 * k, f"an image of at most {most} bytes", f"{size} bytes")
            start = at + FRAME.size
            at = start + color + depth
            if at > self._bytes:
                what = f"{color + depth} bytes of images of frame {index} of {head.frame_count}"
                raise self._cut(start, what, f"{self._bytes - start} bytes before the end")
            T_raw_cam = np.array(pose, dtype=np.float64).reshape(4, 4)
            yield SensFrame(index, T_raw_cam, t_color, t_depth, start, color, start + color, depth)

    def _cut(self, at: int, expected: str, found: str) -> ScanError:
        return ScanError(
            "the .sens file is cut short or damaged",
            where=f"{self.path.name}, byte {at}",
            expected=expected,
            found=found,
            hint="Fetch the file again and compare its size with the source.",
        )


class SensWriter:
    """Write a `.sens`: jpeg colour as given, depth zlib-packed. Same calls, same bytes.

    Use as a context manager; a file whose block failed is removed. Poses may hold -inf (lost tracking).
    """

    def __init__(
        self,
        path: Path,
        color: Pinhole,
        depth: Pinhole,
        *,
        sensor_name: str = "StructureSensor",
        depth_shift: float = 1000.0,
        zlib_level: int = 3,
    ):
        self.path = path
        self._level = zlib_level
        eye = np.eye(4, dtype=np.float32)
        self._header = SensHeader(
            sensor_name=sensor_name,
            intrinsic_color=_matrix4(color),
            extrinsic_color=eye,
            intrinsic_depth=_matrix4(depth),
            extrinsic_depth=eye,
            color_compression="jpeg",
            depth_compression="zlib_ushort",
            color_width=color.width,
            color_height=color.height,
            depth_width=depth.width,
            depth_height=depth.height,
            depth_shift=depth_shift,
            frame_count=0,
        )
        self._file = path.open("wb")
        self._file.write(pack_header(self._header))
        self._count = 0

    def add(
        self,
        color_jpeg: bytes,
        depth: UInt16[np.ndarray, "h w"],
        T_raw_cam: Float[np.ndarray, "4 4"],
        timestamp_us: int = 0,
    ) -> None:
        """Append a frame: jpeg bytes of the colour, depth in units of `depth_shift`, camera to world."""
        shape = (self._header.depth_height, self._header.depth_width)
        if depth.shape != shape or depth.dtype != np.uint16:
            found = f"{depth.dtype} {depth.shape}"
            raise ValueError(f"{self.path.name}: depth must be uint16 {shape}, found {found}")
        packed = encode_depth(depth, self._level)
        pose = np.asarray(T_raw_cam, dtype=np.float32).reshape(16).tolist()
        self._file.write(FRAME.pack(*pose, timestamp_us, timestamp_us, len(color_jpeg), len(packed)))
        self._file.write(color_jpeg)
        self._file.write(packed)
        self._count += 1

    def __enter__(self) -> SensWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.write(struct.pack("<Q", 0))  # ScanNet's own reader expects the number of IMU records
            header = pack_header(replace(self._header, frame_count=self._count))
            self._file.seek(0)
            self._file.write(header)
        self._file.close()
        if kind is not None:
            self.path.unlink(missing_ok=True)


def _matrix4(camera: Pinhole) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = camera.matrix()
    return matrix
