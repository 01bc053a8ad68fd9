"""Multi3DRefer: none, one or several objects that a description means (3dlg-hcvc/M3DRef-CLIP)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ParameterError
from vantage.evaluation.benchmarks.answers import group_masks
from vantage.evaluation.benchmarks.boxes import (
    Extents,
    Scenes,
    bounds_field,
    every_iou,
    float32_iou,
    read_bounds,
    read_box,
    read_unread,
    stacked,
    told_nothing,
)
from vantage.evaluation.benchmarks.files import Record, load, record, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, BoxRule, Item, State, Variant
from vantage.evaluation.benchmarks.masks import read_mask
from vantage.evaluation.metrics.assignment import best_assignment
from vantage.evaluation.metrics.masks import Indices, mask_iou
from vantage.evaluation.metrics.measure import Measure, by_group, mean_of

CASES = ("zt_w_d", "zt_wo_d", "st_w_d", "st_wo_d", "mt")


@dataclass(frozen=True, eq=False)
class Described:
    """A description: the boxes it means, its case, and the points it means where scans were given."""

    description: str
    boxes: Extents
    case: str
    points: Indices | None
    object_ids: tuple[int, ...] = ()

    def targets(self) -> tuple[int, ...]:
        """The annotated objects that are described, perhaps none."""
        return self.object_ids


@dataclass(frozen=True, eq=False)
class Found:
    """Boxes, perhaps none, and a point mask where one was given; or a model's replies that cannot be read.

    Attributes:
        state: of the replies.
    """

    boxes: Extents
    mask: Indices | None
    state: State = "answered"

    @property
    def usable(self) -> bool:
        """Whether it answers: replies that cannot be read are not the answer that there is none."""
        return self.state == "answered"


def references(path: Path, scans: Path | None) -> list[Item[Described]]:
    """Items of `multi3drefer_SPLIT.json`; boxes are the records' `aabb_bound`, or come from the scans."""
    scenes = Scenes(scans)
    return [_item(name, row, scenes) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record, scenes: Scenes) -> Item[Described]:
    scene, ids, case = row.text("scene_id"), row.get("object_ids"), row.text("eval_type")
    if case not in CASES:
        raise row.error(f"eval_type one of {', '.join(CASES)}", case)
    if not isinstance(ids, list):
        raise row.error("a list of numbers in object_ids", repr(ids)[:80])
    wanted = [Record(row.where, {"object_ids": k}).whole("object_ids") for k in ids]
    if row.has("aabb_bound"):
        boxes = read_bounds(row)
        if len(boxes) != len(wanted):
            raise row.error(f"{len(wanted)} boxes, one for each object", f"{len(boxes)}")
    else:
        boxes = stacked([scenes.box(scene, k, row) for k in wanted])
    points = None
    if scenes.folder is not None:
        points = np.flatnonzero(np.isin(scenes.points(scene, row).instance, wanted)).astype(np.int64)
    content = Described(row.text("description"), boxes, case, points, tuple(wanted))
    return Item(name, scene, row.where, content)


def key(row: Record) -> str:
    """`scene_id` and `ann_id`, or `question_id`."""
    if row.has("question_id"):
        return row.text("question_id")
    return f"{row.text('scene_id')}-{row.text('ann_id')}"


def prediction(row: Record) -> Found:
    """`aabb_bound` (n x 2 x 3, empty for none), or one `bbox` or `box`; perhaps a `mask`."""
    mask = read_mask(row)
    if "aabb_bound" in row.fields:
        return Found(read_bounds(row), mask)
    box = read_box(row)
    if box is None and mask is None:
        if told_nothing(row):
            return Found(stacked([]), None, "unparsed" if read_unread(row) else "empty")
        raise row.error("aabb_bound, bbox, box or mask", "none")
    return Found(stacked([] if box is None else [box]), mask)


def upload(path: Path, value: Any, items: Sequence[Item[Described]]) -> dict[str, Found] | None:
    """Predictions of the published form, a file for each scene, as `{scene: [records]}`; None for another."""
    if not isinstance(value, dict) or not all(isinstance(rows, list) for rows in value.values()):
        return None
    known, found = {item.id for item in items}, {}
    for scene, rows in value.items():
        for i, fields in enumerate(rows, start=1):
            given = record(f"{path}, {scene}, record {i}", fields)
            row = replace(given, fields={"scene_id": scene, **given.fields})
            name = key(row)
            if name not in known or name in found:
                message = "comes twice" if name in found else "is not in the references"
                raise row.error("an id of the references, once", f"{name!r} {message}")
            found[name] = prediction(row)
    return found


def state(_described: Described, found: Found) -> State:
    """No box is an answer too, where it is said."""
    return found.state


def f1(truth: Extents, predicted: Float64[np.ndarray, "m 2 3"], threshold: float, iou: np.ndarray) -> float:
    """The F1 of one description: pairs of the highest total IoU, right from the threshold on.

    Without target: 1 if nothing was predicted, else 0.
    """
    if not len(truth):
        return float(not len(predicted))
    if not len(predicted):
        return 0.0
    rows, columns = best_assignment(iou.astype(np.float64))
    right = int((iou[rows, columns] >= threshold).sum())
    return 2 * right / (len(truth) + len(predicted))


def _float32_matrix(a: Extents, b: Float64[np.ndarray, "m 2 3"]) -> np.ndarray:
    pairs = float32_iou(np.repeat(a, len(b), axis=0), np.tile(b, (len(a), 1, 1)))
    return pairs.reshape(len(a), len(b))


def _boxes(
    matrix: Callable[[Extents, np.ndarray], np.ndarray],
) -> Callable[[Sequence[Item[Described]], Sequence[Found | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Described]], said: Sequence[Found | None]) -> dict[str, Measure]:
        cases = group_masks([item.content.case for item in items])
        values = {k: np.zeros(len(items)) for k in (0.25, 0.5)}
        for i, (item, found) in enumerate(zip(items, said, strict=True)):
            if found is not None and found.usable:
                iou = matrix(item.content.boxes, found.boxes)
                for k, column in values.items():
                    column[i] = f1(item.content.boxes, found.boxes, k, iou)
        found_all: dict[str, Measure] = {}
        for k, column in values.items():
            found_all |= by_group(f"f1@{k}", column, cases)
        return found_all

    return score


def _masks(items: Sequence[Item[Described]], said: Sequence[Found | None]) -> dict[str, Measure]:
    if all(found is None or found.mask is None for found in said):
        return {}
    if any(item.content.points is None for item in items):
        raise ParameterError("masks need the scans' points", where="--scans", expected="a folder of scans")
    iou = np.zeros(len(items))
    for i, (item, found) in enumerate(zip(items, said, strict=True)):
        if found is not None and found.usable and item.content.points is not None:
            mask = np.zeros(0, dtype=np.int64) if found.mask is None else found.mask
            iou[i] = mask_iou(mask, item.content.points)
    cases = group_masks([item.content.case for item in items])
    accuracy = {f"acc@{k}": mean_of((iou >= k).astype(np.float64)) for k in (0.25, 0.5)}
    return {**by_group("miou", iou, cases), **accuracy}


BENCHMARK: Benchmark[Described, Found] = Benchmark(
    name="multi3drefer",
    about="none, one or several objects that a description means (3dlg-hcvc/M3DRef-CLIP)",
    splits={"train": 43838, "val": 11120, "test": 6968},
    references=references,
    key=key,
    prediction=prediction,
    state=state,
    variants={
        "official": Variant(
            "F1 of box pairs of the highest total IoU, float32 as published", _boxes(_float32_matrix)
        ),
        "float64": Variant("the same in float64, nothing added to the union", _boxes(every_iou)),
        "mask": Variant(
            "3D-LLaVA, PoseAlign3D: IoU of the union mask, 1 for a right none; needs --scans", _masks
        ),
    },
    prompt=lambda described: described.description,
    upload=upload,
    answered_with="boxes",
    boxes=BoxRule(several=True, fields=lambda _described, boxes: {"aabb_bound": bounds_field(boxes)}),
)
