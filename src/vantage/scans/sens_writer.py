"""Write ScanNet's `.sens` files, frame after frame. Same calls, same bytes."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from vantage.core.atomic import beside
from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.scans.codecs import encode_color, encode_depth, image_size
from vantage.scans.sens_format import (
    COLOR_CODES,
    DEPTH_CODES,
    FRAME,
    MAX_FRAMES,
    MAX_NAME_BYTES,
    SensHeader,
    pack_header,
)
from vantage.scans.sens_tail import NO_MOTION, PACKED


class SensWriter:
    """Write a `.sens`. Use as a context manager: the file appears, whole, when the block ends without error.

    Args:
        path: the file; one that exists is replaced at the end.
        color, depth: the two cameras.
        sensor_name: as recorded in the header.
        depth_shift: units of stored depth per metre.
        zlib_level: for `zlib_ushort`.
        color_compression: `raw`, `png` or `jpeg`.
        depth_compression: `raw_ushort` or `zlib_ushort`.
        extrinsic_color, extrinsic_depth: 4x4, camera to the recorder's base frame; the identity by default.
        keep_ids: whether frames keep ids of their own (a packed file, see `vantage.scans.sens_tail`).

    Raises:
        ValueError: for a compression that cannot be written, and from `add` for images that do not fit the
            header.
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
        color_compression: str = "jpeg",
        depth_compression: str = "zlib_ushort",
        extrinsic_color: Float[np.ndarray, "4 4"] | None = None,
        extrinsic_depth: Float[np.ndarray, "4 4"] | None = None,
        keep_ids: bool = False,
    ):
        if color_compression not in COLOR_CODES.values():
            raise ValueError(f"colour is {', '.join(COLOR_CODES.values())}; found {color_compression!r}")
        if depth_compression not in DEPTH_CODES.values():
            raise ValueError(f"depth is {', '.join(DEPTH_CODES.values())}; found {depth_compression!r}")
        if len(sensor_name.encode()) + len(PACKED) > MAX_NAME_BYTES:
            raise ValueError(f"a sensor name of more than {MAX_NAME_BYTES} bytes")
        self.path = path
        self._level = zlib_level
        self._keep_ids = keep_ids
        self._ids: list[int] = []
        self._header = SensHeader(
            sensor_name=sensor_name.removesuffix(PACKED) + PACKED if keep_ids else sensor_name,
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
        self._beside = beside(path)
        self._file = self._beside.open("wb")
        self._file.write(pack_header(self._header))
        self._count = 0

    def add(
        self,
        color: bytes | UInt8[np.ndarray, "H W 3"],
        depth: UInt16[np.ndarray, "h w"],
        T_raw_cam: Float[np.ndarray, "4 4"],
        timestamp_us: int = 0,
        timestamp_depth_us: int | None = None,
        *,
        frame_id: int | None = None,
    ) -> None:
        """Append a frame.

        Args:
            color: the encoded image as it is to be stored, or RGB to encode.
            depth: in units of `depth_shift`.
            T_raw_cam: camera to world; -inf for lost tracking.
            timestamp_us: of the colour image.
            timestamp_depth_us: of the depth image; that of the colour by default.
            frame_id: needed with `keep_ids`; rising.
        """
        head = self._header
        shape = (head.depth_height, head.depth_width)
        if depth.shape != shape or depth.dtype != np.uint16:
            found = f"{depth.dtype} {depth.shape}"
            raise ValueError(f"{self.path.name}: depth must be uint16 {shape}, found {found}")
        self._check_color(color)
        stored = color if isinstance(color, bytes) else encode_color(color, head.color_compression)
        packed = encode_depth(depth, self._level, head.depth_compression)
        self.add_stored(stored, packed, T_raw_cam, timestamp_us, timestamp_depth_us, frame_id=frame_id)

    def add_stored(
        self,
        color: bytes,
        depth: bytes,
        T_raw_cam: Float[np.ndarray, "4 4"],
        timestamp_us: int = 0,
        timestamp_depth_us: int | None = None,
        *,
        frame_id: int | None = None,
    ) -> None:
        """Append a frame whose images are encoded as the header says, unseen: what a copy needs."""
        if self._keep_ids:
            if frame_id is None or frame_id <= (self._ids[-1] if self._ids else -1):
                raise ValueError(f"{self.path.name}: frame ids must rise; found {frame_id}")
            self._ids.append(frame_id)
        if self._count >= MAX_FRAMES:
            raise ValueError(f"{self.path.name}: more than {MAX_FRAMES} frames")
        pose = np.asarray(T_raw_cam, dtype=np.float32).reshape(16).tolist()
        other = timestamp_us if timestamp_depth_us is None else timestamp_depth_us
        self._file.write(FRAME.pack(*pose, timestamp_us, other, len(color), len(depth)))
        self._file.write(color)
        self._file.write(depth)
        self._count += 1

    def _check_color(self, color: bytes | UInt8[np.ndarray, "H W 3"]) -> None:
        head = self._header
        shape = (head.color_height, head.color_width)
        if not isinstance(color, bytes):
            found: tuple[int, ...] = color.shape[:2]
        elif head.color_compression == "raw":
            found = shape if len(color) == 3 * shape[0] * shape[1] else (len(color),)
        else:
            try:
                found = image_size(color, self.path.name)
            except ScanError as error:
                raise ValueError(f"{self.path.name}: {error.one_line()}") from error
        if found != shape:
            raise ValueError(f"{self.path.name}: colour must be {shape}, found {found}")

    def __enter__(self) -> SensWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
            self._file.close()
            if kind is None:
                self._beside.replace(self.path)
        finally:
            self._file.close()
            self._beside.unlink(missing_ok=True)

    def _finish(self) -> None:
        self._file.write(NO_MOTION)  # ScanNet's own reader expects this number
        self._file.write(struct.pack(f"<{len(self._ids)}Q", *self._ids))
        self._file.seek(0)
        self._file.write(pack_header(replace(self._header, frame_count=self._count)))
        self._file.flush()
        os.fsync(self._file.fileno())


def _matrix4(camera: Pinhole) -> Float[np.ndarray, "4 4"]:
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = camera.matrix()
    return matrix


def _extrinsic(given: Float[np.ndarray, "4 4"] | None) -> Float[np.ndarray, "4 4"]:
    return np.eye(4, dtype=np.float32) if given is None else np.asarray(given, dtype=np.float32)
