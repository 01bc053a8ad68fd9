"""The pixels of one frame, read from where the frames table says they lie and from nowhere else."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from vantage.core.errors import ScanError
from vantage.records.frames import Frame, PixelRef
from vantage.records.scan import ScanMeta
from vantage.scans.codecs import decode_color, decode_depth

#: Depth values that mean "no measurement".
HOLES = (0, 65535)


def read_color(raw_dir: Path, meta: ScanMeta, frame: Frame) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of a frame at the size of `meta.color`; ScanError when unreadable or of another size."""
    data = read_bytes(raw_dir, frame.color)
    shape = (meta.color.height, meta.color.width)
    return decode_color(data, frame.color.encoding, shape, _where(frame, frame.color))


def read_depth(raw_dir: Path, meta: ScanMeta, frame: Frame) -> Float32[np.ndarray, "h w"]:
    """Depth of a frame in metres at the size of `meta.depth`, holes 0; ScanError when unreadable."""
    data = read_bytes(raw_dir, frame.depth)
    shape = (meta.depth.height, meta.depth.width)
    stored = decode_depth(data, frame.depth.encoding, shape, _where(frame, frame.depth))
    return metres(stored, meta.depth_unit_m)


def metres(stored: UInt16[np.ndarray, "h w"], unit_m: float) -> Float32[np.ndarray, "h w"]:
    """Stored depth in metres; both kinds of hole become 0."""
    depth = (stored * unit_m).astype(np.float32)
    depth[stored == HOLES[1]] = 0
    return depth


def read_bytes(raw_dir: Path, ref: PixelRef) -> bytes:
    """The encoded image that `ref` points at. The file may not lie outside `raw_dir`."""
    name = PurePosixPath(ref.file)
    if not ref.file:
        raise ScanError(
            "the frame has no such image",
            where=str(raw_dir.name),
            hint="extract.require_depth: true drops it",
        )
    if name.is_absolute() or ".." in name.parts:
        raise ScanError("an image outside its scan", where=str(raw_dir.name), found=repr(ref.file))
    where = f"{ref.file}, byte {ref.offset}"
    try:
        with (raw_dir / name).open("rb") as file:
            file.seek(ref.offset)
            data = file.read(ref.size)
    except OSError as error:
        raise ScanError(f"cannot read the image: {error.strerror}", where=where) from error
    if len(data) != ref.size:
        expected, found = f"{ref.size} bytes", f"{len(data)} bytes before the end"
        raise ScanError("the image is cut short", where=where, expected=expected, found=found)
    return data


def _where(frame: Frame, ref: PixelRef) -> str:
    return f"frame {frame.frame_id}, {ref.file}, byte {ref.offset}"
