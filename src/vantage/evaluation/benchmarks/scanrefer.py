"""ScanRefer: the one object that a description means, found by its box (daveredrum/ScanRefer).

Several papers print the IoU of point masks under this name; here that is a variant of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks.answers import group_masks
from vantage.evaluation.benchmarks.boxes import (
    Extent,
    Extents,
    Scenes,
    box_state,
    corners_field,
    float32_iou,
    published_iou,
    read_box,
    read_unread,
    stacked,
)
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, BoxRule, Item, State, Variant
from vantage.evaluation.benchmarks.masks import read_mask
from vantage.evaluation.metrics.masks import Indices, as_indices, mask_iou
from vantage.evaluation.metrics.measure import Measure, by_group, mean_of
from vantage.scans.class_sets import SCANNET18, class_in
from vantage.scans.labels import LabelTable, read_label_table

_OTHERS = "otherfurniture"
LABELS = "scannetv2-labels.combined.tsv"


@dataclass(frozen=True, eq=False)
class Described:
    """An object that is described.

    Attributes:
        description: the text.
        box: in the aligned world.
        unique: whether no other annotated object of the scene is of its class.
        others: whether its class is none of ScanNet's 17 named ones.
        points: its mesh vertices, where scans were given.
        object_id: the object's; -1 if unknown.
    """

    description: str
    box: Extent
    unique: bool
    others: bool
    points: Indices | None
    object_id: int = -1

    def targets(self) -> tuple[int, ...]:
        """The annotated object that is described."""
        return (self.object_id,)


@dataclass(frozen=True, eq=False)
class Found:
    """A box, a point mask, or both; and whether a model's replies held something that is neither."""

    box: Extent | None
    mask: Indices | None
    unread: bool = False


def references(path: Path, scans: Path | None) -> list[Item[Described]]:
    """Items of `ScanRefer_filtered_SPLIT.json`; boxes are the records' own, or come from the scans.

    Whether an object is unique rests on the objects of the file: give the whole split, not a part.
    """
    rows = unique(records(path, load(path)), key)
    scenes, table = Scenes(scans), label_table(path, scans)
    kinds: dict[str, dict[str, str]] = {}
    for row in rows.values():
        kinds.setdefault(row.text("scene_id"), {})[row.text("object_id")] = class_name(
            row.text("object_name"), table
        )
    return [_item(name, row, scenes, kinds[row.text("scene_id")]) for name, row in rows.items()]


def label_table(path: Path, scans: Path | None) -> LabelTable | None:
    """ScanNet's table of labels, if it lies beside the references or in the folder of scans."""
    folders = [path.parent, *([scans] if scans is not None else [])]
    file = next((f / LABELS for f in folders if (f / LABELS).is_file()), None)
    return None if file is None else read_label_table(file)


def class_name(object_name: str, table: LabelTable | None = None) -> str:
    """ScanRefer's class of an object: one of ScanNet's 17 named detection classes, or the rest.

    Without ScanNet's table our own names of its classes count, which know fewer spellings.
    """
    found = class_in(SCANNET18, object_name.replace("_", " "), table)
    return _OTHERS if found is None else found.name


def _item(name: str, row: Record, scenes: Scenes, kinds: Mapping[str, str]) -> Item[Described]:
    scene, object_id = row.text("scene_id"), row.whole("object_id")
    box = read_box(row)
    if box is None:
        box = scenes.box(scene, object_id, row)
    points = None
    if scenes.folder is not None:
        points = as_indices(scenes.points(scene, row).instance == object_id)
    kind = kinds[row.text("object_id")]
    alone = sum(other == kind for other in kinds.values()) == 1
    content = Described(row.note("description"), box, alone, kind == _OTHERS, points, object_id)
    return Item(name, scene, row.where, content)


def key(row: Record) -> str:
    """`scene_id-object_id_ann_id`, from these fields or as `question_id` or `id`."""
    if row.has("question_id", "id"):
        return row.text("question_id", "id")
    return f"{row.text('scene_id')}-{row.text('object_id')}_{row.text('ann_id')}"


def prediction(row: Record) -> Found:
    """A box (`bbox` or `box`), a `mask`, or both; an upload's own labels of difficulty are not read."""
    return Found(read_box(row), read_mask(row), read_unread(row))


def state(_described: Described, found: Found) -> State:
    """Without box and mask: unparsed where replies held something else, else empty."""
    return box_state(found.mask if found.box is None else found.box, found.unread)


Iou = Callable[[Extents, Extents], np.ndarray]


def ious(iou: Iou, items: Sequence[Item[Described]], said: Sequence[Found | None]) -> np.ndarray:
    """IoU of each predicted box with the annotated one; 0 without a box."""
    boxes = {i: f.box for i, f in enumerate(said) if f is not None and f.box is not None}
    rows = list(boxes)
    values = iou(stacked([items[i].content.box for i in rows]), stacked(list(boxes.values())))
    found = np.zeros(len(items), dtype=values.dtype)
    found[rows] = values
    return found


def _groups(items: Sequence[Item[Described]]) -> dict[str, np.ndarray]:
    unique_or_not = group_masks(["unique" if item.content.unique else "multiple" for item in items])
    others = group_masks(["in_others" if item.content.others else "not_in_others" for item in items])
    crossed = {f"{a}.{b}": m & o for a, m in unique_or_not.items() for b, o in others.items()}
    return {**unique_or_not, **others, **crossed}


def _boxes(
    iou: Iou,
) -> Callable[[Sequence[Item[Described]], Sequence[Found | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Described]], said: Sequence[Found | None]) -> dict[str, Measure]:
        values, groups = ious(iou, items, said), _groups(items)
        found: dict[str, Measure] = {}
        for k in (0.25, 0.5):
            found |= by_group(f"acc@{k}", (values >= k).astype(np.float64), groups)
        return found

    return score


def _masks(items: Sequence[Item[Described]], said: Sequence[Found | None]) -> dict[str, Measure]:
    if all(item.content.points is None for item in items) or all(f is None or f.mask is None for f in said):
        return {}
    iou = np.zeros(len(items))
    for i, (item, found) in enumerate(zip(items, said, strict=True)):
        if found is not None and found.mask is not None and item.content.points is not None:
            iou[i] = mask_iou(found.mask, item.content.points)
    accuracy = {f"acc@{k}": mean_of((iou >= k).astype(np.float64)) for k in (0.25, 0.5)}
    return {**by_group("miou", iou, _groups(items)), **accuracy}


BENCHMARK: Benchmark[Described, Found] = Benchmark(
    name="scanrefer",
    about="the one object that a description means (daveredrum/ScanRefer)",
    splits={"train": 36665, "val": 9508, "test": 5410},
    references=references,
    key=key,
    prediction=prediction,
    state=state,
    variants={
        "official": Variant("box IoU >= k in float64, 1e-8 added to the union", _boxes(published_iou)),
        "float32": Variant(
            "M3DRef-CLIP: box IoU >= k in float32, 1.19e-7 added to the union", _boxes(float32_iou)
        ),
        "mask": Variant("3D-LLaVA, PoseAlign3D: IoU of point masks, another task; needs --scans", _masks),
    },
    prompt=lambda described: described.description,
    answered_with="boxes",
    boxes=BoxRule(several=False, fields=lambda _described, boxes: {"bbox": corners_field(boxes[0])}),
)
