"""The `recover` stage: how much of every object every kept frame sees."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64

from vantage.core.errors import ScanError
from vantage.core.tasks import Facts, Task
from vantage.records.frames import Frame, kept_frames
from vantage.records.objects import ScanPoints, read_objects, read_points
from vantage.records.scan import ScanMeta, read_scan
from vantage.records.visibility import Visibility, write_visibility
from vantage.recover.config import RecoverConfig
from vantage.recover.measured import ObjectPoints, PixelLabels, agreement_scores
from vantage.recover.published import published_scores
from vantage.scans.pixels import read_depth


def recover(task: Task, config: RecoverConfig) -> Facts:
    """Write `visibility.npz` for one scan; without objects its matrices have no column.

    Raises ScanError if no frame was kept, or objects are listed but no vertex belongs to one.
    """
    folder = task.inputs["extract"]
    meta, frames = read_scan(folder), kept_frames(folder)[:: config.stride]
    if not frames:
        raise ScanError("no frame of the scan was kept", where=meta.scan_id, expected="at least one frame")
    object_ids = np.array([item.object_id for item in read_objects(folder)], dtype=np.int64)
    empty = np.zeros((len(frames), 0), dtype=np.float32)
    scores, visible = empty, empty
    if len(object_ids):
        points = read_points(folder)
        if not np.isin(points.instance, object_ids).any():
            raise ScanError(
                "the scan lists objects, but none of its vertices belongs to one",
                where=meta.scan_id,
                expected=f"instance ids among {object_ids.tolist()}",
                found=f"instance ids {np.unique(points.instance).tolist()}",
            )
        object_ids, scores, visible = _scored(task, config, meta, frames, points, object_ids)
    ids = np.array([frame.frame_id for frame in frames], dtype=np.int64)
    write_visibility(task.out, Visibility(ids, object_ids, scores, visible))
    return {
        "poses": len(frames),
        "objects": len(object_ids),
        "seen_share": float((scores > 0).mean()) if scores.size else 0.0,
    }


def _scored(
    task: Task,
    config: RecoverConfig,
    meta: ScanMeta,
    frames: list[Frame],
    points: ScanPoints,
    object_ids: Int64[np.ndarray, "listed"],
) -> tuple[Int64[np.ndarray, "ids"], Float32[np.ndarray, "p ids"], Float32[np.ndarray, "p ids"]]:
    """Ids, scores and visible pixels; in reference mode the published columns, every id of the mesh."""
    if config.mode == "reference":
        poses, cameras = [f.T_raw_cam for f in frames], [meta.color_of(f) for f in frames]
        object_ids, scores = published_scores(points.coord, points.instance, poses, cameras, config.shrink)
    else:
        scores = np.zeros((len(frames), len(object_ids)), dtype=np.float32)
    labels = PixelLabels(points, object_ids, config.pixel_stride, config.label_radius_m)
    visible = np.zeros_like(scores)
    objects = ObjectPoints.of(points, object_ids)
    for row, frame in enumerate(frames):
        task.progress.step(row, len(frames), f"frame {frame.frame_id}")
        depth = read_depth(task.inputs["download"], meta, frame)
        depth = np.where((depth >= config.near_m) & (depth <= config.far_m), depth, np.float32(0))
        camera = meta.depth_of(frame)
        visible[row] = labels.count(depth, frame.T_raw_cam, camera, meta.color_of(frame))
        if config.mode == "depth":
            scores[row] = agreement_scores(
                objects, depth, camera, frame.T_raw_cam, config.tolerance_m, config.tolerance_per_m
            )
    task.progress.step(len(frames), len(frames), "objects scored")
    return object_ids, scores, visible
