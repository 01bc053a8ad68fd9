"""A raw scan before any image is decoded: cameras, and for each frame its pose and where its pixels lie."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Float64

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics, PixelRef
from vantage.scans.conventions import Up

NOWHERE = PixelRef(file="", offset=0, size=0, encoding="")


def _no_pose() -> Float64[np.ndarray, "4 4"]:
    return np.full((4, 4), np.nan)


@dataclass(frozen=True, eq=False)
class RawFrame:
    """A frame as recorded.

    Attributes:
        frame_id: the scan's own id.
        color, depth: where the encoded pixels lie.
        T_raw_cam: camera (x right, y down, z forward) to the world as scanned, metres; may be not finite.
        timestamp_s: of the colour image; 0 when unknown.
        problem: what is missing or unreadable; empty when all parts are there.
        color_intrinsics, depth_intrinsics: the frame's own, where the recording has some for each frame.
    """

    frame_id: int
    color: PixelRef = NOWHERE
    depth: PixelRef = NOWHERE
    T_raw_cam: Float64[np.ndarray, "4 4"] = field(default_factory=_no_pose)
    timestamp_s: float = 0.0
    problem: str = ""
    color_intrinsics: Intrinsics | None = None
    depth_intrinsics: Intrinsics | None = None


@dataclass(frozen=True, eq=False)
class RawScan:
    """Cameras and frames of a raw scan.

    Attributes:
        color, depth: the two cameras, each with its own size and intrinsics.
        depth_unit_m: metres of one unit of stored depth.
        frames: frames by rising id, strided.
        recorded: frames before striding.
        extrinsics: whether the recording places its colour and depth cameras off the pose; not applied, as in
            the published readers, and so worth telling.
        up: the axis of the raw world that points up; None where nobody says.
        layout: the name of the layout it was read from.
    """

    color: Pinhole
    depth: Pinhole
    depth_unit_m: float
    frames: list[RawFrame]
    recorded: int
    extrinsics: bool
    up: Up | None
    layout: str


def is_identity(matrix: Float[np.ndarray, "4 4"]) -> bool:
    """Whether a recorded extrinsic says nothing: the identity, or zeros as some recorders write."""
    return bool(np.allclose(matrix, np.eye(4), atol=1e-5) or not np.any(matrix))


def pinhole(width: int, height: int, K: Float[np.ndarray, "r c"], where: str) -> Pinhole:
    """A camera from an intrinsic matrix of a file; ScanError naming `where` when it is none."""
    try:
        return Pinhole.from_matrix(width, height, np.asarray(K, dtype=np.float64))
    except ValueError as error:
        raise ScanError("bad intrinsics", where=where, found=error) from error


def camera_of(size: tuple[int, int], intrinsics: Intrinsics, where: str) -> Pinhole:
    """A camera from width and height and fx, fy, cx, cy of a file; ScanError naming `where` when it is
    none."""
    try:
        return Pinhole(*size, *intrinsics)
    except ValueError as error:
        raise ScanError("bad intrinsics", where=where, found=error) from error
