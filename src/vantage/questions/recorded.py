"""The kept frames of a scan: from where they were taken, and what each of them shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64

from vantage.core.errors import ContractError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import kept_frames
from vantage.records.scan import read_scan
from vantage.records.visibility import read_visibility


@dataclass(frozen=True)
class Recorded:
    """The kept frames of a scan as situations need them.

    Attributes:
        scan_id: the scan.
        frame_ids: kept frames, ascending.
        T_aligned_cam: camera to `aligned`, metres, by frame.
        object_ids: the objects of the columns of `sees`.
        sees: whether a frame shows an object (visible pixels above the threshold).
        scores: how much of an object a frame sees, by the mode of `recover`.
        cameras: the colour camera of each frame.
    """

    scan_id: str
    frame_ids: tuple[int, ...]
    T_aligned_cam: Float64[np.ndarray, "f 4 4"]
    object_ids: tuple[int, ...]
    sees: Bool[np.ndarray, "f o"]
    scores: Float32[np.ndarray, "f o"]
    cameras: tuple[Pinhole, ...]


def read_recorded(extract: Path, recover: Path, min_visible_px: float) -> Recorded:
    """The kept frames of a scan and what each of them shows.

    Raises:
        ContractError: the visibility record does not cover every kept frame.
    """
    meta = read_scan(extract)
    frames = kept_frames(extract)
    visibility = read_visibility(recover)
    rows = {int(frame): row for row, frame in enumerate(visibility.frame_ids)}
    if missing := [frame.frame_id for frame in frames if frame.frame_id not in rows]:
        raise ContractError(
            "kept frames have no visibility",
            where=recover,
            expected=f"{len(frames)} frames",
            found=f"none for frame {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""),
            hint="run recover again",
        )
    of_frame = [rows[frame.frame_id] for frame in frames]
    poses = np.array([meta.T_aligned_raw @ frame.T_raw_cam for frame in frames]).reshape(-1, 4, 4)
    return Recorded(
        scan_id=meta.scan_id,
        frame_ids=tuple(frame.frame_id for frame in frames),
        T_aligned_cam=poses,
        object_ids=tuple(int(object_id) for object_id in visibility.object_ids),
        sees=visibility.visible_px[of_frame] >= min_visible_px,
        scores=visibility.scores[of_frame],
        cameras=tuple(meta.color_of(frame) for frame in frames),
    )
