"""A scan's kept frames as views of samples; neither pictures nor points are in memory until looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ContractError, ScanError
from vantage.geometry.transforms import is_rigid
from vantage.models.patch_geometry import Grid, PatchGrid
from vantage.models.vlm.pictures import picture_grids
from vantage.models.vlm.sample import View
from vantage.records.frames import Frame, kept_frames
from vantage.records.patches import PatchCoordinates, read_patches
from vantage.records.scan import ScanMeta, read_scan
from vantage.scans.pixels import read_color


@dataclass(frozen=True)
class LiftedScan:
    """What `download`, `extract` and `lift` know of a scan.

    Attributes:
        raw: folder of the raw scan, which pixels are read from.
        meta: cameras and worlds.
        frames: the kept frames by id, ascending.
        patches: their points, mapped from the file.
        rows: of the patches, by frame id.
    """

    raw: Path
    meta: ScanMeta
    frames: Mapping[int, Frame]
    patches: PatchCoordinates
    rows: Mapping[int, int]

    @classmethod
    def read(cls, inputs: Mapping[str, Path], scan: str) -> LiftedScan:
        """From the folders of `download`, `extract` and `lift`; `ContractError` for what does not fit."""
        extract = inputs["extract"] / scan
        patches = read_patches(inputs["lift"] / scan, mapped=True)
        frames = {frame.frame_id: frame for frame in kept_frames(extract)}
        return cls(inputs["download"] / scan, read_scan(extract), frames, patches, patches.row_of())

    @property
    def size(self) -> Grid:
        """Width and height of the colour images, pixels."""
        return self.meta.color.width, self.meta.color.height

    def require_known(self, frame_ids: Sequence[int], where: str) -> None:
        """Raise `ContractError`, naming `where`, for a frame that was not kept or has no patches."""
        for frame_id in frame_ids:
            if frame_id not in self.frames or frame_id not in self.rows:
                kept = frame_id in self.frames
                raise ContractError(
                    "a question shows a frame that " + ("has no patches" if kept else "was not kept"),
                    where=where, expected="kept frames with patches",
                    found=f"frame {frame_id} of {self.meta.scan_id}",
                    hint="run lift and synthesize again",
                )  # fmt: skip

    def fault(self, frame_id: int) -> str:
        """Why a frame's own data cannot be shown, or "": its pose, its points, its pixels' file."""
        row, frame = self.rows[frame_id], self.frames[frame_id]
        if not is_rigid(self.T_aligned_cam(frame_id)):
            return f"the pose of frame {frame_id} is not a rigid transform"
        lost = self.patches.valid[row] & ~np.isfinite(self.patches.xyz_aligned[row]).all(axis=-1)
        if lost.any():
            return f"{int(lost.sum())} points of frame {frame_id} are not finite"
        path = self.raw / frame.color.file
        if not frame.color.file or not path.is_file():
            return f"frame {frame_id} has no colour image"
        if path.stat().st_size < frame.color.offset + frame.color.size:
            return f"the colour image of frame {frame_id} is cut short"
        return ""

    def has_points(self, frame_id: int) -> bool:
        """Whether any patch of a frame has a point."""
        return bool(self.patches.valid[self.rows[frame_id]].any())

    def T_aligned_cam(self, frame_id: int) -> Float64[np.ndarray, "4 4"]:
        """Camera (x right, y down, z forward) to the aligned world, metres."""
        T: Float64[np.ndarray, "4 4"] = self.meta.T_aligned_raw @ self.frames[frame_id].T_raw_cam
        return T

    def T_aligned_others(self, frame_id: int) -> Float64[np.ndarray, "m 4 4"]:
        """The cameras of all kept frames but one, by frame id."""
        others = [self.T_aligned_cam(other) for other in sorted(self.frames) if other != frame_id]
        return np.array(others, dtype=np.float64).reshape(-1, 4, 4)

    def view(self, frame_id: int, T_frame_aligned: Float64[np.ndarray, "4 4"]) -> View:
        """A frame as a view whose coordinates are in the frame that `T_frame_aligned` leads to."""
        return View(
            name=f"{self.meta.scan_id}/frame {frame_id}",
            image=partial(color_image, self.raw, self.meta, self.frames[frame_id]),
            pictures=pictures_of(self.patches, self.rows[frame_id], T_frame_aligned),
            T_frame_cam=T_frame_aligned @ self.T_aligned_cam(frame_id),
        )


def color_image(raw: Path, meta: ScanMeta, frame: Frame) -> Any:
    """The Pillow image (RGB) of a frame; `ScanError` when unreadable or of another size than the scan's."""
    from PIL import Image

    try:
        return Image.fromarray(read_color(raw, meta, frame))
    except ScanError as error:
        raise ScanError(
            error.message, where=f"{meta.scan_id}, frame {frame.frame_id}: {error.where}",
            expected=error.expected, found=error.found, hint=error.hint,
        ) from error  # fmt: skip


def pictures_of(
    patches: PatchCoordinates, row: int, T_frame_aligned: Float64[np.ndarray, "4 4"]
) -> tuple[PatchGrid, ...]:
    """The points of a frame's pictures (whole or tiles, in the image processor's order), metres.

    Computed in float64 and kept in float32; a patch without a point has zeros.
    """
    return picture_grids(patches.xyz_aligned[row], patches.valid[row], patches.grids, T_frame_aligned)
