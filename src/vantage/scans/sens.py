"""Read ScanNet's `.sens` files without ever holding one in memory.

Poses are read by seeking past the images: thousands of times faster than unpacking them. An image is decoded
only when asked for, from its own bytes.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt16

from vantage.core.errors import ScanError
from vantage.scans.codecs import decode_color, decode_depth
from vantage.scans.sens_format import HEADER_READ, SensHeader, parse_header
from vantage.scans.sens_table import SensTable, damaged, read_table, widened
from vantage.scans.sens_tail import Tail, ids_lost, read_ids, read_tail
from vantage.scans.sens_writer import SensWriter

__all__ = ["SensFrame", "SensReader", "SensWriter"]


@dataclass(frozen=True)
class SensFrame:
    """Where one frame lies in its file, and its pose. Offsets and sizes in bytes, time stamps as recorded.

    `index` counts the frames of this file; `frame_id` is the same, but for packed files, which keep the ids
    that the frames had where they came from.
    """

    index: int
    frame_id: int
    T_raw_cam: Float64[np.ndarray, "4 4"]
    timestamp_color: int
    timestamp_depth: int
    color_offset: int
    color_size: int
    depth_offset: int
    depth_size: int


class SensReader:
    """A `.sens` opened for reading. Use as a context manager; threads may share it.

    `T_raw_cam` is camera to world as recorded; lost tracking shows as -inf and is left to the caller.
    Every method raises ScanError naming file, byte, expected and found when the file is cut short or garbage.

    Args:
        path: the file.
        salvage: take the whole frames before the place where the file is cut or damaged; `cut` then says
            why there are no more. Without it such a file is refused.
    """

    def __init__(self, path: Path, *, salvage: bool = False):
        self.path = path
        self._salvage = salvage
        self._table: SensTable | None = None
        self._ids: Int64[np.ndarray, "N"] | None = None
        try:
            # Not to wait for a writer, should the name be a pipe's.
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ScanError(f"cannot open the .sens file: {error.strerror}", where=str(path)) from error
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise ScanError("cannot open the .sens file: not a regular file", where=str(path))
            self.file_bytes = status.st_size
            start = self._read(HEADER_READ, 0)
            self.header: SensHeader = parse_header(start, path.name, self.file_bytes, salvage=salvage)
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> SensReader:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        """Frames that can be read."""
        return len(self.table) if self._salvage else self.header.frame_count

    @property
    def table(self) -> SensTable:
        """The records of all frames."""
        if self._table is None:
            table = read_table(self._fd, self.header, self.path.name, self.file_bytes)
            if table.cut is not None:
                if not self._salvage:
                    raise table.cut
                ids_lost(table.cut, self.header)
            self._table = table
        return self._table

    @property
    def cut(self) -> ScanError | None:
        """Why a salvaged file has fewer frames than its header says; None when it is whole."""
        return self.table.cut

    @property
    def tail(self) -> Tail:
        """What follows the last frame."""
        return read_tail(self._fd, self.header, self.table, self.file_bytes)

    def poses(self) -> Float64[np.ndarray, "N 4 4"]:
        """Camera to world of every frame as recorded, images untouched."""
        return self.table.poses()

    def frame_ids(self) -> Int64[np.ndarray, "N"]:
        """The id of every frame, rising."""
        if self._ids is None:
            if self.table.cut is None:
                self._ids = read_ids(self._fd, self.header, self.table, self.path.name, self.file_bytes)
            else:
                self._ids = np.arange(len(self.table), dtype=np.int64)
        return self._ids

    def frames(self) -> list[SensFrame]:
        """Every frame's pose and place, images untouched."""
        return [self.frame(index) for index in range(len(self.table))]

    def frame(self, index: int) -> SensFrame:
        """Pose and place of frame `index`; ScanError when there is none."""
        if not 0 <= index < len(self.table):
            expected = f"0 to {len(self.table) - 1}" if len(self.table) else "none: the file has no frames"
            raise ScanError("no such frame", where=self.path.name, expected=expected, found=index)
        record = self.table.records[index]
        t_color, t_depth, color, depth = (int(record[name]) for name in record.dtype.names[1:])
        start = int(self.table.start[index])
        T_raw_cam = widened(record["pose"])
        frame_id = int(self.frame_ids()[index])
        return SensFrame(index, frame_id, T_raw_cam, t_color, t_depth, start, color, start + color, depth)

    def color(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The colour image of frame `index` as RGB."""
        frame, head = self.frame(index), self.header
        shape, data = (head.color_height, head.color_width), self.color_blob(frame)
        return decode_color(data, head.color_compression, shape, self.where(frame, frame.color_offset))

    def depth(self, index: int) -> UInt16[np.ndarray, "h w"]:
        """The depth image of frame `index` in the file's own units (`header.depth_shift` per metre)."""
        frame, head = self.frame(index), self.header
        shape, data = (head.depth_height, head.depth_width), self.depth_blob(frame)
        return decode_depth(data, head.depth_compression, shape, self.where(frame, frame.depth_offset))

    def color_blob(self, frame: SensFrame) -> bytes:
        """The colour image as stored."""
        return self.blob(frame.color_offset, frame.color_size)

    def depth_blob(self, frame: SensFrame) -> bytes:
        """The depth image as stored."""
        return self.blob(frame.depth_offset, frame.depth_size)

    def blob(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`."""
        data = self._read(size, offset)
        if len(data) != size:
            raise damaged(self.path.name, offset, f"{size} bytes", f"{len(data)} bytes before the end")
        return data

    def where(self, frame: SensFrame, offset: int) -> str:
        """Names a frame and its byte, for errors."""
        return f"{self.path.name}, frame {frame.frame_id}, byte {offset}"

    def _read(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError as error:
            where = f"{self.path.name}, byte {offset}"
            raise ScanError(f"cannot read the .sens file: {error.strerror}", where=where) from error
