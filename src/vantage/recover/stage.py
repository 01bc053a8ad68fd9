"""The `recover` stage: how much of every object every kept frame sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from vantage.core.errors import ScanError
from vantage.core.progress import Progress
from vantage.core.tasks import Facts, Task
from vantage.records.frames import Frame, kept_frames
from vantage.records.objects import ScanPoints, SceneObject, read_objects, read_points
from vantage.records.scan import ScanMeta, read_scan
from vantage.records.visibility import Visibility, write_visibility
from vantage.recover.calibrated import Depth, Tolerances, visible_fractions
from vantage.recover.config import RecoverConfig
from vantage.recover.device import gpu_for
from vantage.recover.pixel_labels import PixelLabels
from vantage.recover.published import published_scores
from vantage.recover.scores import Scores
from vantage.recover.without_points import box_scores, point_scores
from vantage.scans.pixels import read_depth


def recover(task: Task, config: RecoverConfig) -> Facts:
    """Write `visibility.npz` for one scan; without objects its matrices have no column.

    Raises ScanError if no frame was kept, a point is not finite, or objects are listed but, in a mode that
    needs points, no vertex belongs to one.
    """
    folder = task.inputs["extract"]
    meta, frames = read_scan(folder), kept_frames(folder)[:: config.stride]
    if not frames:
        raise ScanError("no frame of the scan was kept", where=meta.scan_id, expected="at least one frame")
    objects = read_objects(folder)
    nothing = np.zeros((len(frames), 0), dtype=np.float32)
    found, visible = Scores(np.zeros(0, dtype=np.int64), nothing, nothing), nothing
    without: list[int] = []
    if objects:
        raw = task.inputs["download"]
        scan = RecordedScan(raw, config, meta, frames, objects, read_points(folder), task.seed)
        without = scan.without_points()
        if without:
            text = ", ".join(map(str, without))
            task.progress.say(f"{meta.scan_id}: no vertex belongs to object {text}; it scores 0")
        found = scan.scores()
        visible = scan.pixels(found.object_ids, task.progress)
    else:
        lacking = "no object is annotated" if meta.labelled else "no annotation, no masks and no objects.json"
        task.progress.say(f"{meta.scan_id}: {lacking}, so nothing is scored and nothing can be asked")
    ids = np.array([frame.frame_id for frame in frames], dtype=np.int64)
    write_visibility(task.out, Visibility(ids, found.object_ids, found.score, found.in_view, visible))
    facts = {
        "poses": len(frames),
        "objects": len(found.object_ids),
        "seen_share": float((found.score > 0).mean()) if found.score.size else 0.0,
        "objects_without_points": len(without),
    }
    return facts | ({"without_points": " ".join(map(str, without))} if without else {})


@dataclass(frozen=True)
class RecordedScan:
    """A scan whose frames are scored against its objects.

    Attributes:
        raw: its raw folder, where depth images are.
        config: how.
        meta, frames, objects, points: what `extract` made of it; `frames` those to be scored.
        seed: of `box` mode.
    """

    raw: Path
    config: RecoverConfig
    meta: ScanMeta
    frames: Sequence[Frame]
    objects: Sequence[SceneObject]
    points: ScanPoints
    seed: int = 0

    def without_points(self) -> list[int]:
        """Ids that the annotation lists and no vertex has.

        Raises ScanError if a vertex is not finite, or in a mode that needs them none belongs to an object.
        """
        bad = int((~np.isfinite(self.points.coord).all(axis=1)).sum())
        if bad:
            raise ScanError(f"{bad} vertices are not finite", where=self.meta.scan_id, expected="metres")
        listed = [item.object_id for item in self.objects]
        lacking: list[int] = np.setdiff1d(listed, self.points.instance).tolist()
        if len(lacking) == len(listed) and self.config.mode in ("calibrated", "reference"):
            raise ScanError(
                "the scan lists objects, but none of its vertices belongs to one",
                where=self.meta.scan_id,
                expected=f"instance ids among {listed}",
                found=f"instance ids {np.unique(self.points.instance).tolist()}",
                hint="modes box and point need no vertices",
            )
        return lacking

    def scores(self) -> Scores:
        """Scores by the mode; in `reference` the published columns, every id of the mesh, -1 included."""
        config, coord, instance = self.config, self.points.coord, self.points.instance
        poses, cameras = [f.T_raw_cam for f in self.frames], [self.meta.color_of(f) for f in self.frames]
        if config.mode == "reference":
            device = gpu_for(len(coord) * len(poses))
            return published_scores(coord, instance, poses, cameras, config.shrink, device=device)
        ids = np.array([item.object_id for item in self.objects], dtype=np.int64)
        if config.mode == "calibrated":
            limits = Tolerances(config.near_m, config.far_m, config.tolerance_m, config.tolerance_per_m2)
            measured = self._depth
            return visible_fractions(
                coord, instance, ids, poses, cameras, config.shrink, limits, depth_of=measured
            )
        poses = [self.meta.T_aligned_raw @ pose for pose in poses]  # boxes are in the aligned world
        names, limits_m = ("center", "size", "rotation"), (config.near_m, config.far_m)
        center, size, rotation = (np.array([getattr(o, name) for o in self.objects]) for name in names)
        view = (poses, cameras, *limits_m)
        shares = box_scores(center, size, rotation, *view, config.box_samples, self.seed)
        if config.mode == "box":
            return Scores(ids, shares, shares)
        return Scores(ids, point_scores(center, *view), shares)

    def pixels(
        self, object_ids: Int64[np.ndarray, "ids"], progress: Progress
    ) -> Float32[np.ndarray, "p ids"]:
        """Visible pixels of each object in each frame."""
        labels = PixelLabels(self.points, object_ids, self.config.pixel_stride, self.config.label_radius_m)
        visible = np.zeros((len(self.frames), len(object_ids)), dtype=np.float32)
        for row, frame in enumerate(self.frames):
            progress.step(row, len(self.frames), f"frame {frame.frame_id}")
            depth, camera = self._depth(row)
            visible[row] = labels.count(depth, frame.T_raw_cam, camera, self.meta.color_of(frame))
        progress.step(len(self.frames), len(self.frames), "objects scored")
        return visible

    def _depth(self, row: int) -> Depth:
        """The depth image of a frame; what is outside the limits is a hole."""
        frame, config = self.frames[row], self.config
        depth = read_depth(self.raw, self.meta, frame)
        depth = np.where((depth >= config.near_m) & (depth <= config.far_m), depth, np.float32(0))
        return depth, self.meta.depth_of(frame)
