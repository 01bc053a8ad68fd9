"""Axis-aligned boxes out of records and scans, and their IoU as the published scorers compute it.

A box is its lowest and highest corner, (2, 3), metres, in the frame of the benchmark's references (for
ScanNet: axis-aligned). Turned boxes count by their extent, as in every published scorer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from vantage.core.errors import ParameterError, ScanError
from vantage.evaluation.benchmarks.arrays import numbers
from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.benchmarks.interface import State
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.iou3d import SCANREFER_EPSILON_M3, extent_iou
from vantage.records.objects import ScanPoints

Extent = Float64[np.ndarray, "2 3"]
Extents = Float64[np.ndarray, "n 2 3"]


def read_box(row: Record) -> Extent | None:
    """The box of a record: `bbox` (eight corners), `box` (centre, size) or one `aabb_bound`; else None."""
    if row.has("bbox", "box_corners"):
        corners = numbers(row, "eight corners in bbox", row.get("bbox", "box_corners"))
        if corners.shape == (6,):
            return _centre_size(row, corners)
        if corners.shape != (8, 3):
            raise row.error("eight corners, 8 x 3, in bbox", f"shape {corners.shape}")
        return np.stack([corners.min(axis=0), corners.max(axis=0)])
    if row.has("box"):
        box = numbers(row, "centre and size in box", row.get("box"))
        if box.shape == (8, 3):
            return np.stack([box.min(axis=0), box.max(axis=0)])
        return _centre_size(row, box)
    if row.has("aabb_bound", "aabb"):
        bounds = read_bounds(row)
        if len(bounds) != 1:
            raise row.error("one box in aabb_bound", f"{len(bounds)} boxes")
        return np.asarray(bounds[0])
    return None


def read_bounds(row: Record) -> Extents:
    """The boxes of `aabb_bound`: n x 2 x 3, or one 2 x 3; an empty list is none."""
    value = row.get("aabb_bound", "aabb")
    bounds = numbers(row, "n x 2 x 3 in aabb_bound", value)
    if bounds.size == 0:
        return np.zeros((0, 2, 3))
    if bounds.shape == (2, 3):
        bounds = bounds[None]
    if bounds.ndim != 3 or bounds.shape[1:] != (2, 3):
        raise row.error("n x 2 x 3 in aabb_bound", f"shape {bounds.shape}")
    if (bounds[:, 0] > bounds[:, 1]).any():
        raise row.error("the lowest corner first, then the highest, in aabb_bound", "an edge below 0")
    return bounds


def _centre_size(row: Record, box: np.ndarray) -> Extent:
    if box.shape != (6,) or (box[3:] < 0).any():
        raise row.error("six numbers, centre and size, sizes not below 0", f"{box.tolist()}"[:80])
    return np.stack([box[:3] - box[3:] / 2, box[:3] + box[3:] / 2])


def published_iou(a: Extents, b: Extents) -> Float64[np.ndarray, " n"]:
    """IoU of pairs in float64 with 1e-8 added to the union (ScanRefer, Scan2Cap).

    A true IoU of a threshold misses it by that, and tiny boxes do not reach 1 with themselves.
    """
    return extent_iou(a[:, 0], a[:, 1], b[:, 0], b[:, 1], SCANREFER_EPSILON_M3)


def float32_iou(a: Extents, b: Extents) -> Float32[np.ndarray, " n"]:
    """IoU of pairs in float32 with its epsilon, 1.19e-7, added to the union (M3DRef-CLIP)."""
    p, q = a.astype(np.float32), b.astype(np.float32)
    edges = np.minimum(p[:, 1], q[:, 1]) - np.maximum(p[:, 0], q[:, 0])
    shared = np.clip(edges, np.float32(0), None).prod(axis=1)
    union = (p[:, 1] - p[:, 0]).prod(axis=1) + (q[:, 1] - q[:, 0]).prod(axis=1) - shared
    return np.asarray(shared / (union + np.finfo(np.float32).eps), dtype=np.float32)


def every_iou(a: Extents, b: Float64[np.ndarray, "m 2 3"]) -> Float64[np.ndarray, "n m"]:
    """IoU of each of `a` with each of `b`, nothing added."""
    shape = (len(a), len(b), 3)
    low_a, high_a = (np.broadcast_to(a[:, None, side], shape) for side in (0, 1))
    low_b, high_b = (np.broadcast_to(b[None, :, side], shape) for side in (0, 1))
    return extent_iou(low_a, high_a, low_b, high_b)


_SCENE = re.compile(r"[\w-][\w.-]{0,127}")


@dataclass
class Scenes:
    """Objects' boxes and points from a folder of scans in ScanNet's files; each scan is read once.

    Attributes:
        folder: holds a folder for each scene; None where the user gave none.
    """

    folder: Path | None
    _boxes: dict[str, Mapping[int, Extent]] = field(default_factory=dict)
    _points: dict[str, ScanPoints] = field(default_factory=dict)

    def box(self, scene: str, object_id: int, row: Record) -> Extent:
        """The axis-aligned box of an object in the aligned world.

        Raises:
            ParameterError: no folder of scans was given, or it lacks the scene.
            ScanError: the scene cannot be read.
            ContractError: it has no such object.
        """
        self.points(scene, row)
        if object_id not in self._boxes[scene]:
            raise row.error(f"an object of {scene}", f"object {object_id}")
        return self._boxes[scene][object_id]

    def points(self, scene: str, row: Record) -> ScanPoints:
        """The scene's mesh vertices with their objects; errors as of `box`."""
        if scene not in self._points:
            self._read(scene, row)
        return self._points[scene]

    def _read(self, scene: str, row: Record) -> None:
        from vantage.records.objects import axis_boxes
        from vantage.scans.alignment import recorded_alignment
        from vantage.scans.objects import read_annotations

        if self.folder is None:
            raise ParameterError(
                "the references have no boxes",
                where=row.where,
                expected="bbox, box or aabb_bound in every record",
                hint="give the scans' folder with --scans",
            )
        path = self.folder / scene
        if not _SCENE.fullmatch(scene) or not path.is_dir():
            expected = f"a folder {scene[:80]!r}, as {row.where} says"
            raise ParameterError("a scene is missing", where=self.folder, expected=expected)
        recorded = recorded_alignment(path, scene)
        T_aligned_raw = np.eye(4) if recorded is None else recorded
        found = read_annotations(path, scene, T_aligned_raw)
        if not found.labelled:
            raise ScanError("the scan is not annotated", where=path, expected="segments and aggregation")
        boxes = axis_boxes(found.points, T_aligned_raw)
        self._points[scene] = found.points
        self._boxes[scene] = {
            k: np.stack([box.center - box.size / 2, box.center + box.size / 2]) for k, box in boxes.items()
        }


UNREAD = "unread"
"""The field of a prediction that tells what of a model's replies is no box, and why."""
_DECIMALS = 6  # of corners that are written: micrometres


def corners_field(box: OrientedBox) -> list[list[float]]:
    """A box as eight corners, as `bbox` has them; metres."""
    return [[float(x) for x in corner] for corner in np.round(box.corners(), _DECIMALS) + 0.0]


def bounds_field(boxes: Sequence[OrientedBox]) -> list[list[list[float]]]:
    """Boxes as their lowest and highest corners, as `aabb_bound` has them; metres."""
    bounds = np.round(stacked([extent(box) for box in boxes]), _DECIMALS) + 0.0
    found: list[list[list[float]]] = bounds.tolist()
    return found


def extent(box: OrientedBox) -> Extent:
    """The lowest and the highest corner of a box, also of a turned one."""
    corners = box.corners()
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def read_unread(row: Record) -> bool:
    """Whether a record tells of replies that are no boxes."""
    return bool(row.fields.get(UNREAD))


def told_nothing(row: Record) -> bool:
    """Whether a record without a box is a model's all the same: it says which reply held none."""
    return isinstance(row.fields.get("text"), str)


def box_state(box: object, unread: bool) -> State:
    """Without a box: unparsed where something was said that is none, else empty."""
    if box is not None:
        return "answered"
    return "unparsed" if unread else "empty"


def stacked(boxes: Sequence[Extent]) -> Extents:
    """Boxes as one array, also of none."""
    return np.stack(boxes) if boxes else np.zeros((0, 2, 3))
