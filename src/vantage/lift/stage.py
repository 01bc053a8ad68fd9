"""The `lift` stage: patch coordinates of every kept frame, and the scan's general view set."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

from vantage.core.errors import ScanError
from vantage.core.seeds import priority
from vantage.core.tasks import Facts, Task
from vantage.geometry.camera import Pinhole
from vantage.geometry.warp import ImageWarp
from vantage.lift.config import LiftConfig
from vantage.lift.coverage import frame_voxels
from vantage.lift.depth_source import depth_source
from vantage.lift.patches import PatchPoints, patch_coordinates
from vantage.lift.views import METHODS, good_views, view_set
from vantage.records.frames import Frame, kept_frames
from vantage.records.patches import PatchCoordinates, ViewSet, write_patches, write_views
from vantage.records.scan import ScanMeta, read_scan


def lift(task: Task, config: LiftConfig) -> Facts:
    """Write `patches.npz` and `views.json`, both in the aligned world, for one scan.

    Estimated depth leaves `depth.json` beside them. Raises ScanError if no frame was kept, no patch of any
    frame has depth, a pose lies absurdly far away, or estimated depth could not be aligned.
    """
    meta, frames = read_scan(task.inputs["extract"]), kept_frames(task.inputs["extract"])
    if not frames:
        raise ScanError("no frame of the scan was kept", where=meta.scan_id, expected="at least one frame")
    warp = config.warp(meta.color.width, meta.color.height)
    source = depth_source(task, meta, frames, config.depth)
    points, voxels = [], []
    for done, frame in enumerate(frames):
        task.progress.step(done, len(frames), f"frame {frame.frame_id}")
        depth, camera = source.depth_of(frame)
        pose = meta.T_aligned_raw @ frame.T_raw_cam
        points.append(
            patch_coordinates(depth, camera, pose, meta.color_of(frame), warp, config.min_valid_share)
        )
        voxels.append(_voxels(meta, frame, depth, camera, config))
    patches = _stacked(frames, points, None if config.processor == "squash" else warp)
    if not patches.valid.any():
        raise ScanError(
            "no image patch has depth",
            where=meta.scan_id,
            expected=f"patches with at least {config.min_valid_share:.0%} measured depth pixels",
            hint="check the depth images and lift.min_valid_share",
        )
    write_patches(task.out, patches)
    source.write(task.out)

    order = [priority(task.seed, "coverage", meta.scan_id, frame.frame_id) for frame in frames]
    good = good_views(frames, config.view_bounds)
    cover = view_set(voxels, config.views, order, config.view_strategy, good)
    ids = [frames[i].frame_id for i in cover.chosen]
    method = METHODS[config.view_strategy]
    write_views(task.out, ViewSet(ids, cover.gains, cover.total, config.voxel_m, method))
    task.progress.step(len(frames), len(frames), "view set")
    return {
        "frames": len(frames),
        "valid_patch_share": float(patches.valid.mean()),
        "good_frames": len(good),
        "views": len(ids),
        "covered_share": sum(cover.gains) / max(1, cover.total),
        **source.facts(),
    }


def _voxels(
    meta: ScanMeta, frame: Frame, depth: Float32[np.ndarray, "h w"], camera: Pinhole, config: LiftConfig
) -> Int64[np.ndarray, "n"]:
    pose = meta.T_aligned_raw @ frame.T_raw_cam
    try:
        return frame_voxels(depth, camera, pose, config.voxel_m, config.coverage_stride)
    except ValueError as error:
        where = f"{meta.scan_id}, frame {frame.frame_id}"
        raise ScanError(str(error), where=where, found=f"a camera at {pose[:3, 3].tolist()} m") from error


def _stacked(frames: list[Frame], points: list[PatchPoints], warp: ImageWarp | None) -> PatchCoordinates:
    return PatchCoordinates(
        frame_ids=np.array([frame.frame_id for frame in frames], dtype=np.int64),
        xyz_aligned=np.stack([p.xyz_world for p in points]),
        valid=np.stack([p.valid for p in points]),
        spread=np.stack([p.spread for p in points]),
        valid_share=np.stack([p.valid_share for p in points]),
        warp=warp,
    )
