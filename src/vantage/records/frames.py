"""The frames table of a scan: poses, where the pixels lie, quality, and why a frame was dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.records.tables import read_table, write_table

FRAMES_FILE = "frames.parquet"
VERSION = 2

Intrinsics = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels."""


@dataclass(frozen=True)
class PixelRef:
    """Where an encoded image lies: a file of the raw scan folder, the offset of its first byte, its length.

    `encoding` is one of jpeg, png (colour or 16-bit depth), raw, zlib_ushort, raw_ushort.
    """

    file: str
    offset: int
    size: int
    encoding: str


@dataclass(frozen=True)
class Frame:
    """One frame of a scan.

    Attributes:
        frame_id: the scan's own id.
        kept: whether later stages use it.
        reason: why it was dropped; empty when kept.
        T_raw_cam: camera to the world as scanned, metres; may be non-finite in a dropped frame.
        timestamp_s: colour timestamp in seconds; 0 when unknown.
        color, depth: where the encoded pixels lie.
        depth_valid_share: share of depth pixels with a measurement, 0 to 1.
        blur: variance of the Laplacian of the grey image (larger is sharper).
        exposure: mean grey value, 0 to 1.
        jump_m, jump_rad: how far the camera moved and turned since the recorded frame with a pose before it,
            strided; 0 for the first.
        color_intrinsics, depth_intrinsics: the frame's own, where the recording has some for each frame; None
            where the scan's hold. `ScanMeta.color_of` and `depth_of` give the camera.
    """

    frame_id: int
    kept: bool
    reason: str
    T_raw_cam: Float64[np.ndarray, "4 4"]
    timestamp_s: float
    color: PixelRef
    depth: PixelRef
    depth_valid_share: float
    blur: float
    exposure: float
    jump_m: float = 0.0
    jump_rad: float = 0.0
    color_intrinsics: Intrinsics | None = None
    depth_intrinsics: Intrinsics | None = None


_SCALARS = (
    "frame_id",
    "kept",
    "reason",
    "timestamp_s",
    "depth_valid_share",
    "blur",
    "exposure",
    "jump_m",
    "jump_rad",
)
_OWN = ("color_intrinsics", "depth_intrinsics")
_REF = ("file", "offset", "size", "encoding")
_NAMES = (
    *_SCALARS,
    "T_raw_cam",
    *_OWN,
    *(f"color_{name}" for name in _REF),
    *(f"depth_{name}" for name in _REF),
)


def _schema() -> object:
    import pyarrow as pa

    kinds = {
        "frame_id": pa.int64(),
        "kept": pa.bool_(),
        "reason": pa.string(),
        "timestamp_s": pa.float64(),
        "depth_valid_share": pa.float64(),
        "blur": pa.float64(),
        "exposure": pa.float64(),
        "jump_m": pa.float64(),
        "jump_rad": pa.float64(),
        "T_raw_cam": pa.list_(pa.float64(), 16),
    }
    # Not of fixed size: a null among lists of fixed size does not survive Parquet.
    kinds |= {name: pa.list_(pa.float64()) for name in _OWN}
    for image in ("color", "depth"):
        for name, kind in zip(_REF, (pa.string(), pa.int64(), pa.int64(), pa.string()), strict=True):
            kinds[f"{image}_{name}"] = kind
    return pa.schema([(name, kinds[name]) for name in _NAMES])


def write_frames(folder: Path, frames: Sequence[Frame]) -> None:
    """Write `frames.parquet`, sorted by frame id, into a scan's folder."""
    rows = sorted(frames, key=lambda frame: frame.frame_id)
    columns: dict[str, list[object]] = {name: [getattr(row, name) for row in rows] for name in _SCALARS}
    columns["T_raw_cam"] = [np.asarray(row.T_raw_cam, dtype=np.float64).ravel().tolist() for row in rows]
    columns |= {name: [_listed(getattr(row, name)) for row in rows] for name in _OWN}
    for image in ("color", "depth"):
        for name in _REF:
            columns[f"{image}_{name}"] = [getattr(getattr(row, image), name) for row in rows]
    write_table(folder / FRAMES_FILE, "frames", VERSION, columns, _schema())


def read_frames(folder: Path) -> list[Frame]:
    """All frames of a scan, dropped ones included, sorted by frame id; `ContractError` when unreadable."""
    columns = read_table(folder / FRAMES_FILE, "frames", VERSION, _NAMES)
    frames = []
    for i in range(len(columns["frame_id"])):
        refs = {
            image: PixelRef(*(columns[f"{image}_{name}"][i] for name in _REF)) for image in ("color", "depth")
        }
        frames.append(
            Frame(
                **{name: columns[name][i] for name in _SCALARS},
                T_raw_cam=np.asarray(columns["T_raw_cam"][i], dtype=np.float64).reshape(4, 4),
                color=refs["color"],
                depth=refs["depth"],
                color_intrinsics=_intrinsics(columns["color_intrinsics"][i]),
                depth_intrinsics=_intrinsics(columns["depth_intrinsics"][i]),
            )
        )
    return frames


def kept_frames(folder: Path) -> list[Frame]:
    """The frames of a scan that later stages use."""
    return [frame for frame in read_frames(folder) if frame.kept]


def _listed(intrinsics: Intrinsics | None) -> list[float] | None:
    return None if intrinsics is None else list(intrinsics)


def _intrinsics(row: Sequence[float] | None) -> Intrinsics | None:
    if row is None:
        return None
    fx, fy, cx, cy = row
    return fx, fy, cx, cy
