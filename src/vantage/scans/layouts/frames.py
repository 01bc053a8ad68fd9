"""What readers of numbered recordings share: from images and stored poses by id to frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.records.frames import Intrinsics
from vantage.scans.layouts.base import Reading
from vantage.scans.layouts.images import lacking, ref, size_of
from vantage.scans.raw import RawFrame, RawScan, camera_of

Stored = Mapping[int, Float[np.ndarray, "4 4"]]


def numbered_scan(
    folder: Path,
    scan_id: str,
    color: Mapping[int, Path],
    depth: Mapping[int, Path],
    poses: Stored,
    reading: Reading,
    intrinsics: tuple[Intrinsics, Intrinsics],
    layout: str,
) -> RawScan:
    """A scan whose images and stored poses are paired by number; `intrinsics` of colour and depth.

    A frame that lacks a part stays in the list with its problem; a pose without any image is no frame. Raises
    ScanError when there is no image or no pose at all.
    """
    ids = sorted(color.keys() | depth.keys())
    if not ids or not poses:
        expected, found = "images and poses", f"{len(ids)} images, {len(poses)} poses"
        raise ScanError("no frames in the scan's folder", where=scan_id, expected=expected, found=found)
    if not poses.keys() & set(ids):
        expected, found = f"poses of frames {_some(ids)}", f"poses of frames {_some(sorted(poses))}"
        raise ScanError("no image has a pose", where=scan_id, expected=expected, found=found)
    return RawScan(
        color=camera(color, "color", reading.color_intrinsics or intrinsics[0], scan_id),
        depth=camera(depth, "depth", reading.depth_intrinsics or intrinsics[1], scan_id),
        depth_unit_m=1.0 / reading.convention.depth_units_per_m,
        frames=[
            _frame(folder, k, color.get(k), depth.get(k), poses, reading) for k in ids[:: reading.stride]
        ],
        recorded=len(ids),
        extrinsics=False,
        up=reading.convention.up,
        layout=layout,
    )


def camera(images: Mapping[int, Path], part: str, intrinsics: Intrinsics, scan_id: str) -> Pinhole:
    """The camera of numbered images, sized by the first that can be read."""
    return camera_of(size_of((images[k] for k in sorted(images)), part), intrinsics, f"{scan_id}, {part}")


def _frame(
    folder: Path, k: int, color: Path | None, depth: Path | None, poses: Stored, reading: Reading
) -> RawFrame:
    refs = ref(folder, color), ref(folder, depth)
    problem = lacking(color=refs[0], depth=refs[1])
    if k not in poses:
        return RawFrame(k, *refs, problem=problem or "no pose in the trajectory")
    return RawFrame(k, *refs, reading.convention.T_world_cam(poses[k]), problem=problem)


def _some(ids: list[int]) -> str:
    return f"{ids[0]} to {ids[-1]}"
