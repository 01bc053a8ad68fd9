"""Read and write ScanNet's `.sens` files without ever holding one in memory.

Poses are read by seeking past the images: some thousand times faster than decoding them. An image is decoded
only when asked for, from its own bytes.
"""

from __future__ import annotations

import os
import stat
import struct
import uuid
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8, UInt16

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import decode_color, decode_depth, encode_depth
from vantage.scans.sens_format import FRAME, HEADER_READ, SensHeader, pack_header, parse_header

# More bytes for a pixel than any codec needs: a larger blob is garbage, not an image.
_MAX_BLOB_PER_PIXEL = 16
_ANY_SIZE = 1 << 62

_SIZES = struct.Struct("<2Q")
_RECORD = np.dtype(
    [("pose", "<f4", 16), ("time_color", "<u8"), ("time_depth", "<u8"), ("color", "<u8"), ("depth", "<u8")]
)
_ROW = np.dtype([*_RECORD.descr, ("offset", "<i8")])


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

    Args:
        path: the file.
        salvage: take the whole frames before the place where the file breaks off; `damage` then tells of it.
    """

    def __init__(self, path: Path, salvage: bool = False):
        self.path = path
        self.damage: ScanError | None = None
        self._salvage = salvage
        try:
            # Not to wait for a writer, should the name be a pipe's.
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ScanError(f"cannot open the .sens file: {error.strerror}", where=str(path)) from error
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise ScanError("cannot open the .sens file: not a regular file", where=str(path))
            self._bytes = status.st_size
            claimed = _ANY_SIZE if salvage else self._bytes
            self.header: SensHeader = parse_header(self._read(HEADER_READ, 0), path.name, claimed)
        except BaseException:
            os.close(self._fd)
            raise
        self._records: np.ndarray | None = None

    def __enter__(self) -> SensReader:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        return len(self._table()) if self._salvage else self.header.frame_count

    def poses(self) -> Float64[np.ndarray, "n 4 4"]:
        """`T_raw_cam` of every frame, images untouched."""
        return _float64(self._table()["pose"]).reshape(-1, 4, 4)

    def frames(self) -> list[SensFrame]:
        """Every frame's pose and place, images untouched."""
        table = self._table()
        columns = [table[name].tolist() for name in ("time_color", "time_depth", "offset", "color", "depth")]
        return [
            SensFrame(index, pose, t_color, t_depth, start, color, start + color, depth)
            for index, (pose, t_color, t_depth, start, color, depth) in enumerate(
                zip(self.poses(), *columns, strict=True)
            )
        ]

    def color(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The colour image of frame `index` as RGB."""
        frame, head = self.frame(index), self.header
        data = self.blob(frame.color_offset, frame.color_size)
        where = f"{self.path.name}, frame {index}, byte {frame.color_offset}"
        return decode_color(data, head.color_compression, (head.color_height, head.color_width), where)

    def depth(self, index: int) -> UInt16[np.ndarray, "h w"]:
        """The depth image of frame `index` in the file's own units (`header.depth_shift` per metre)."""
        frame, head = self.frame(index), self.header
        data = self.blob(frame.depth_offset, frame.depth_size)
        where = f"{self.path.name}, frame {index}, byte {frame.depth_offset}"
        return decode_depth(data, head.depth_compression, (head.depth_height, head.depth_width), where)

    def blob(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`."""
        data = self._read(size, offset)
        if len(data) != size:
            raise self._cut(offset, f"{size} bytes", f"{len(data)} bytes before the end")
        return data

    def frame(self, index: int) -> SensFrame:
        """One frame's pose and place, images untouched."""
        if not 0 <= index < len(self):
            expected = f"0 to {len(self) - 1}"
            raise ScanError("no such frame", where=self.path.name, expected=expected, found=index)
        row = self._table()[index]
        start, color, depth = (int(row[name]) for name in ("offset", "color", "depth"))
        T_raw_cam = _float64(row["pose"]).reshape(4, 4)
        times = int(row["time_color"]), int(row["time_depth"])
        return SensFrame(index, T_raw_cam, *times, start, color, start + color, depth)

    def _table(self) -> np.ndarray:
        """The record of every frame and the byte at which its images start."""
        if self._records is None:
            records, offsets = bytearray(), array("q")
            try:
                for record, start in self._scan():
                    records += record
                    offsets.append(start)
            except ScanError as error:
                if not self._salvage:
                    raise
                self.damage = error
            table = np.zeros(len(offsets), dtype=_ROW)
            stored = np.frombuffer(records, dtype=_RECORD)
            for name in _RECORD.names or ():
                table[name] = stored[name]
            table["offset"] = offsets
            self._records = table
        return self._records

    def _scan(self) -> Iterator[tuple[bytes, int]]:
        at, head = self.header.header_bytes, self.header
        most = _MAX_BLOB_PER_PIXEL * max(
            head.color_width * head.color_height, head.depth_width * head.depth_height, 4096
        )
        for index in range(head.frame_count):
            record = self._read(FRAME.size, at)
            if len(record) != FRAME.size:
                what = f"the {FRAME.size} byte record of frame {index} of {head.frame_count}"
                raise self._cut(at, what, f"{len(record)} bytes before the end")
            color, depth = _SIZES.unpack_from(record, FRAME.size - _SIZES.size)
            if color > most or depth > most:
                wrong = at + FRAME.size - (8 if color <= most else 16)
                raise self._cut(wrong, f"an image of at most {most} bytes", f"{max(color, depth)} bytes")
            start = at + FRAME.size
            at = start + color + depth
            if at > self._bytes:
                what = f"{color + depth} bytes of images of frame {index} of {head.frame_count}"
                raise self._cut(start, what, f"{self._bytes - start} bytes before the end")
            yield record, start

    def _read(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            where = f"{self.path.name}, byte {offset}"
            raise ScanError(f"cannot read the .sens file: {error.strerror}", where=where) from error

    def _cut(self, at: int, expected: str, found: str) -> ScanError:
        return ScanError(
            "the .sens file is cut short or damaged",
            where=f"{self.path.name}, byte {at}",
            expected=expected,
            found=found,
            hint="Fetch the file again and compare its size with the source.",
        )


class SensWriter:
    """Write a `.sens`. Same calls, same bytes.

    Use as a context manager: the file appears, whole, when the block ends without an error. Poses may hold
    -inf (lost tracking).

    Args:
        path: the file to write.
        color, depth: the two cameras.
        color_compression: of the colour bytes given: "jpeg", "png" or "raw" (RGB, row by row).
        depth_compression: "zlib_ushort" or "raw_ushort".
        extrinsic_color, extrinsic_depth: of the cameras; the identity by default.
        depth_shift: units of depth per metre.
    """

    def __init__(
        self,
        path: Path,
        color: Pinhole,
        depth: Pinhole,
        *,
        sensor_name: str = "StructureSensor",
        color_compression: str = "jpeg",
        depth_compression: str = "zlib_ushort",
        extrinsic_color: Float[np.ndarray, "4 4"] | None = None,
        extrinsic_depth: Float[np.ndarray, "4 4"] | None = None,
        depth_shift: float = 1000.0,
        zlib_level: int = 3,
    ):
        if depth_compression not in ("zlib_ushort", "raw_ushort"):
            raise ValueError(f"depth is written as zlib_ushort or raw_ushort, not {depth_compression}")
        self.path = path
        self._level = zlib_level
        self._header = SensHeader(
            sensor_name=sensor_name,
            intrinsic_color=_matrix4(color),
            extrinsic_color=_extrinsic(extrinsic_color),
            intrinsic_depth=_matrix4(depth),
            extrinsic_depth=_extrinsic(extrinsic_depth),
            color_compression=color_compression,
            depth_compression=depth_compression,
            color_width=color.width,
            color_height=color.height,
            depth_width=depth.width,
            depth_height=depth.height,
            depth_shift=depth_shift,
            frame_count=0,
        )
        start = pack_header(self._header)
        self._part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        self._file = self._part.open("wb")
        self._file.write(start)
        self._count = 0

    def add(
        self,
        color: bytes,
        depth: UInt16[np.ndarray, "h w"],
        T_raw_cam: Float[np.ndarray, "4 4"],
        timestamp_us: int = 0,
        timestamp_depth_us: int | None = None,
    ) -> None:
        """Append a frame: bytes of the colour, depth in units of `depth_shift`, camera to world.

        Time stamps in microseconds; that of depth is the colour's unless given.
        """
        shape = (self._header.depth_height, self._header.depth_width)
        if depth.shape != shape or depth.dtype != np.uint16:
            found = f"{depth.dtype} {depth.shape}"
            raise ValueError(f"{self.path.name}: depth must be uint16 {shape}, found {found}")
        raw = self._header.depth_compression == "raw_ushort"
        packed = depth.astype("<u2").tobytes() if raw else encode_depth(depth, self._level)
        self.add_packed(color, packed, T_raw_cam, timestamp_us, timestamp_depth_us)

    def add_packed(
        self,
        color: bytes,
        depth: bytes,
        T_raw_cam: Float[np.ndarray, "4 4"],
        timestamp_us: int = 0,
        timestamp_depth_us: int | None = None,
    ) -> None:
        """Append a frame whose depth is packed already, as `depth_compression` says."""
        head = self._header
        pixels = 3 * head.color_width * head.color_height
        if head.color_compression == "raw" and len(color) != pixels:
            raise ValueError(f"{self.path.name}: raw colour must be {pixels} bytes, found {len(color)}")
        pose = np.asarray(T_raw_cam, dtype=np.float32).reshape(16).tolist()
        times = timestamp_us, timestamp_us if timestamp_depth_us is None else timestamp_depth_us
        self._file.write(FRAME.pack(*pose, *times, len(color), len(depth)))
        self._file.write(color)
        self._file.write(depth)
        self._count += 1

    def __enter__(self) -> SensWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._file:
                if kind is None:
                    self._file.write(
                        struct.pack("<Q", 0)
                    )  # IMU records: ScanNet's own reader expects a number
                    self._file.seek(0)
                    self._file.write(pack_header(replace(self._header, frame_count=self._count)))
            if kind is None:
                self._part.replace(self.path)
        finally:
            self._part.unlink(missing_ok=True)


def _float64(stored: Float32[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """Numbers of a file, widened; NumPy would warn of some NaNs in damaged ones."""
    with np.errstate(invalid="ignore"):
        return stored.astype(np.float64)


def _matrix4(camera: Pinhole) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = camera.matrix()
    return matrix


def _extrinsic(matrix: Float[np.ndarray, "4 4"] | None) -> Float32[np.ndarray, "4 4"]:
    return np.asarray(np.eye(4) if matrix is None else matrix, dtype=np.float32)
