"""Points and objects of a capture without ScanNet's annotation: fused depth, and masks or boxes beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int32

from vantage.core.errors import ScanError
from vantage.core.tasks import Facts, Task
from vantage.geometry.boxes import OrientedBox, fit_upright_box
from vantage.geometry.transforms import apply
from vantage.records.frames import Frame
from vantage.records.objects import ScanPoints, SceneObject
from vantage.records.scan import ScanMeta
from vantage.scans.annotations import read_attributes
from vantage.scans.box_file import BOXES_FILE, members, read_boxes
from vantage.scans.clusters import hangs_together
from vantage.scans.config import FusionConfig
from vantage.scans.frame_masks import FrameMasks, find_masks, mask_labels
from vantage.scans.fusion import Surface, View, fuse, thinned
from vantage.scans.labels import nyu_class, read_label_table
from vantage.scans.objects import LABEL_TABLE, Annotations, unknown_labels
from vantage.scans.pixels import read_depth
from vantage.scans.ply import Mesh, write_ply
from vantage.scans.scannet import ATTRIBUTES, find
from vantage.scans.votes import MaskView, vote

#: An object that frames' masks give fewer points than this is a stray of their edges.
LEAST_POINTS = 10
#: The fused surface in a scan's extract folder, in the world as scanned.
SURFACE_FILE = "mesh.ply"


def capture_annotations(
    task: Task, meta: ScanMeta, frames: Sequence[Frame], mesh: ScanPoints, config: FusionConfig
) -> Annotations:
    """The points and objects of a scan without ScanNet's annotation; `mesh` has its vertices, if any.

    Points are those of the mesh, else of fused depth. Objects are the boxes of an `objects.json`, else what
    the masks of the frames say of the points; without either the points are nobody's. With `config.mesh` the
    fused surface is written to `task.out`. ScanError when a file beside the scan is damaged.
    """
    # With extract.require_depth: false some frames, or all, have no depth image to fuse or to vote by.
    measured = [frame for frame in frames if frame.kept and frame.depth.file]
    capture = _Capture(task, meta, measured, config)
    coord = mesh.coord
    facts: dict[str, int | float | str] = {"points_from": "mesh" if len(coord) else "nothing"}
    if not len(coord) and config.enabled:
        coord, voxel_m = capture.fused()
        facts = {"points_from": "fused depth", "fused_voxel_m": voxel_m}
    facts["points"] = len(coord)
    raw_dir = task.inputs["download"]
    if (raw_dir / BOXES_FILE).is_file():
        return capture.from_boxes(raw_dir / BOXES_FILE, coord, facts)
    if (masks := find_masks(raw_dir)) is not None:
        return capture.from_masks(masks, coord, facts)
    points = ScanPoints.plain(coord, np.full(len(coord), -1, dtype=np.int32))
    return Annotations([], points, False, facts={**facts, "objects_from": "nothing"})


@dataclass(frozen=True)
class _Capture:
    task: Task
    meta: ScanMeta
    frames: Sequence[Frame]
    config: FusionConfig

    def fused(self) -> tuple[Float32[np.ndarray, "n 3"], float]:
        """Points of the fused surface, thinned, in the raw world; and the edge of its voxels."""
        surface = fuse(self._views, self.config)
        if surface.voxel_m != self.config.voxel_m:
            self._say(f"too large for voxels of {self.config.voxel_m} m; fused with {surface.voxel_m:g} m")
        if not len(surface.vertices):
            self._say(f"no surface was measured by {self.config.min_frames} frames, so it has no points")
        if self.config.mesh:
            self._write(surface)
        return thinned(surface.vertices, self.config.max_points, surface.voxel_m), surface.voxel_m

    def from_boxes(self, path: Path, coord: Float32[np.ndarray, "n 3"], facts: Facts) -> Annotations:
        boxes = read_boxes(path, self.meta.T_aligned_raw)
        instance = members(self._aligned(coord), boxes)
        found = {one.object_id: (one.label, one.color, one.box) for one in boxes}
        return self._annotations(found, coord, instance, (), {**facts, "objects_from": BOXES_FILE})

    def from_masks(self, masks: FrameMasks, coord: Float32[np.ndarray, "n 3"], facts: Facts) -> Annotations:
        raw_dir, scan_id = self.task.inputs["download"], self.meta.scan_id
        labels = mask_labels(raw_dir, scan_id, masks.kind)
        colors_file = find(raw_dir, scan_id, ATTRIBUTES)
        colors = read_attributes(colors_file) if colors_file is not None else {}
        used: list[int] = []
        voted = vote(coord, self._mask_views(masks, used))
        instance = _without_strays(coord, voted)
        ids = [int(object_id) for object_id in np.unique(instance) if object_id >= 0]
        aligned = self._aligned(coord)
        found = {
            object_id: (
                labels.get(object_id, "object"),
                colors.get(object_id),
                self._solid(fit_upright_box(aligned[instance == object_id])),
            )
            for object_id in ids
        }
        empty = sorted(({*labels, *np.unique(voted).tolist()} - {-1}) - found.keys())
        facts = {**facts, "objects_from": f"masks in {masks.kind.folder}/", "masks_used": len(used)}
        return self._annotations(found, coord, instance, empty, facts)

    def _annotations(
        self,
        found: Mapping[int, tuple[str, str | None, OrientedBox]],
        coord: Float32[np.ndarray, "n 3"],
        instance: Int32[np.ndarray, "n"],
        empty: Sequence[int],
        facts: Facts,
    ) -> Annotations:
        table_file = self.task.inputs["download"] / LABEL_TABLE
        table = read_label_table(table_file) if table_file.is_file() else None
        objects = []
        for object_id, (label, color, box) in found.items():
            nyu, own = nyu_class(label, table), int((instance == object_id).sum())
            fields = (box.center, box.size, box.rotation, own)
            objects.append(SceneObject(object_id, label, nyu.nyu40_id, nyu.nyu40, color, *fields))
        empty = [*empty, *(item.object_id for item in objects if item.points == 0)]
        points = ScanPoints.plain(coord, instance)
        return Annotations(objects, points, True, unknown_labels(objects), empty, facts)

    def _solid(self, box: OrientedBox) -> OrientedBox:
        """A box that is nowhere thinner than a voxel: points may lie in one plane exactly."""
        return replace(box, size=np.maximum(box.size, self.config.voxel_m))

    def _aligned(self, coord: Float32[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        return apply(self.meta.T_aligned_raw, coord)

    def _views(self) -> Iterator[View]:
        chosen = self.frames[:: self.config.stride]
        for done, frame in enumerate(chosen):
            self.task.progress.step(done, len(chosen), f"fusing frame {frame.frame_id}")
            depth = read_depth(self.task.inputs["download"], self.meta, frame)
            yield depth, self.meta.depth_of(frame), frame.T_raw_cam

    def _mask_views(self, masks: FrameMasks, used: list[int]) -> Iterator[MaskView]:
        """Views of the kept frames that have a readable mask, whose ids are appended to `used`."""
        for done, frame in enumerate(self.frames):
            self.task.progress.step(done, len(self.frames), f"mask of frame {frame.frame_id}")
            if frame.frame_id not in masks.files:
                continue
            try:
                ids = masks.ids(frame.frame_id)
            except ScanError as error:
                self._say(f"a mask was left out: {error.one_line()}")
                continue
            used.append(frame.frame_id)
            depth = read_depth(self.task.inputs["download"], self.meta, frame)
            color = self.meta.color_of(frame).resized(ids.shape[1], ids.shape[0])
            yield depth, self.meta.depth_of(frame), ids, color, frame.T_raw_cam

    def _write(self, surface: Surface) -> None:
        grey = np.full(surface.vertices.shape, 128, dtype=np.uint8)
        write_ply(self.task.out / SURFACE_FILE, Mesh(surface.vertices, grey, surface.faces))

    def _say(self, text: str) -> None:
        self.task.progress.say(f"{self.meta.scan_id}: {text}")


def _without_strays(
    coord: Float32[np.ndarray, "n 3"], voted: Int32[np.ndarray, "n"]
) -> Int32[np.ndarray, "n"]:
    """Objects as voted, less points apart from the rest of their object, and objects of hardly a point.

    At an object's rim its mask spills onto what is behind it: few points, but far away.
    """
    instance = voted.copy()
    for object_id in np.unique(voted[voted >= 0]):
        own = np.flatnonzero(voted == object_id)
        kept = hangs_together(coord[own])
        instance[own[~kept] if kept.sum() >= LEAST_POINTS else own] = -1
    return instance
