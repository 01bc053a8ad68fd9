"""ScanQA's boxes: where the object lies that a question is about (ATR-DBI/ScanQA, lib/eval_helper.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vantage.evaluation.benchmarks.answers import Reply
from vantage.evaluation.benchmarks.boxes import Extent, Scenes, published_iou, read_box, stacked
from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.benchmarks.interface import Item, Variant
from vantage.evaluation.metrics.measure import Measure, mean_of


@dataclass(frozen=True, eq=False)
class Located(Reply):
    """A reply with the box that it is about."""

    box: Extent | None = None


@dataclass(frozen=True, eq=False)
class Target:
    """The objects that a question is about; their boxes are looked up in the scans when they are needed.

    Attributes:
        row: the reference: `object_ids`, or a box of its own.
        scenes: the scans, where they were given.
    """

    row: Record
    scenes: Scenes

    @property
    def ids(self) -> tuple[int, ...]:
        """Of the objects, in the record's order; none where it does not say."""
        return tuple(_ids(self.row))

    @property
    def known(self) -> bool:
        """Whether there is a box, in the record or in the scans."""
        return self.row.has(*_BOXES) or (self.scenes.folder is not None and bool(_ids(self.row)))

    def boxes(self) -> list[Extent]:
        """Of each object, in the record's order; errors as of `Scenes.box`."""
        own = read_box(self.row)
        if own is not None:
            return [own]
        scene = self.row.text("scene_id")
        return [self.scenes.box(scene, object_id, self.row) for object_id in _ids(self.row)]


_BOXES = ("bbox", "box", "aabb_bound")


def _ids(row: Record) -> list[int]:
    """Of the objects: `object_ids` in the files, `object_id` in their description; none in some splits."""
    if not row.has("object_ids", "object_id"):
        return []
    value = row.get("object_ids", "object_id")
    listed = value if isinstance(value, list) else [value]
    if not all(str(one).isascii() and str(one).isdecimal() for one in listed):
        raise row.error("numbers in object_ids", repr(value)[:80])
    return [int(one) for one in listed]


def read_located(row: Record, reply: Reply) -> Reply:
    """The reply with its box, where the record has one; an empty list is none."""
    if row.fields.get("bbox") == [] or not row.has(*_BOXES):
        return reply
    return Located(reply.text, reply.ranked, read_box(row))


def box_variants() -> dict[str, Variant[Any, Reply]]:
    """The published rule, and one of ours that any of a question's objects satisfies."""
    rule = "box IoU >= k in float64, 1e-8 added to the union; needs predicted boxes and --scans"
    return {
        "boxes": Variant(f"the first of object_ids: {rule} (lib/eval_helper.py)", _scored(first=True)),
        "boxes_any": Variant(f"ours, the nearest of object_ids: {rule}", _scored(first=False)),
    }


def _scored(
    first: bool,
) -> Callable[[Sequence[Item[Any]], Sequence[Reply | None]], dict[str, Measure]]:
    """The measures of the first of a question's objects, or of all of them; none where no box is given.

    A question whose reply has no box, or whose objects no one knows, is wrong.
    """

    def score(items: Sequence[Item[Any]], said: Sequence[Reply | None]) -> dict[str, Measure]:
        targets = [item.content.target for item in items]
        pairs = [
            (i, reply.box)
            for i, (target, reply) in enumerate(zip(targets, said, strict=True))
            if target is not None and target.known and isinstance(reply, Located) and reply.box is not None
        ]
        if not pairs:
            return {}
        iou = np.zeros(len(items))
        for i, box in pairs:
            own = targets[i].boxes()[: 1 if first else None]
            iou[i] = published_iou(stacked(own), stacked([box] * len(own))).max()
        accuracy = {f"acc@{k}": mean_of((iou >= k).astype(np.float64)) for k in (0.25, 0.5)}
        return {**accuracy, "miou": mean_of(iou)}

    return score
