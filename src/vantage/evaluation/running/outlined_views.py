"""Objects to be described: each with views of its scan, itself outlined in those that show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.running.annotated import AnnotatedFrame
from vantage.evaluation.running.described import Boxes
from vantage.evaluation.running.object_views import ObjectViews
from vantage.evaluation.running.posed import PosedViews
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.boxes import axis_box


@dataclass(kw_only=True)
class OutlinedViews(PosedViews):
    """Views of scans in which one object is marked.

    The first is the frame that shows it best; the others are those of good quality that show most of what
    the first does not.

    Attributes:
        boxes: of the objects, in the aligned world.
    """

    boxes: Boxes

    def settings(self) -> Mapping[str, Any]:
        """What the choice of frames and objects depends on."""
        return {"views": self.views, "stride": self.stride, **self.boxes.settings()}

    def _chosen(self, recorded: MeasuredScan, _annotated: AnnotatedFrame, item: Item[Any]) -> ScanViews:
        box = axis_box(self.boxes.box(item.id))
        shown = ObjectViews(recorded)
        frames = recorded.chosen(self.views, shown.best(box), recorded.good)
        marks = {f.frame_id: shown.outline(box, f) for f in frames if shown.shows(box, f)}
        return ScanViews(recorded.folder, recorded.meta, frames, outlines=marks)

    def _fields(self, item: Item[Any]) -> Mapping[str, Any]:
        return {"aabb_bound": self.boxes.box(item.id).tolist(), "boxes": self.boxes.source}
