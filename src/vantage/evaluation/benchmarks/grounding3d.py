"""3D boxes for descriptions of things in one image, in the camera's frame; what RefCOCO becomes in 3D.

No published scorer defines it, so these rules are ours: a box's image is the rectangle round its eight
projected corners; its 3D IoU is that of axis-aligned extents; an offset is the distance of centres.
`depth_aligned` first scales the predicted box about the camera until its centre is as deep as the truth's,
which moves nothing in the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from vantage.evaluation.benchmarks.arrays import numbers
from vantage.evaluation.benchmarks.boxes import box_state, corners_field, every_iou, read_unread, told_nothing
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, BoxRule, Item, State, Variant
from vantage.evaluation.metrics.measure import Measure, mean_of
from vantage.geometry.iou2d import rectangle_iou

Corners = Float64[np.ndarray, "8 3"]
NEAR_M = 1e-6
"""What is not farther has no image."""


@dataclass(frozen=True, eq=False)
class Described:
    """A description, the eight corners it means (camera frame, m), and fx fy cx cy of the camera (px)."""

    description: str
    corners: Corners
    intrinsics: Float64[np.ndarray, "4"]


@dataclass(frozen=True, eq=False)
class Found:
    """Eight corners (camera frame, m), or none and whether replies held something that is no box."""

    corners: Corners | None
    unread: bool = False


def references(path: Path, _scans: Path | None) -> list[Item[Described]]:
    """Items with `question_id`, `description`, `bbox` or `box`, and `intrinsics` (fx, fy, cx, cy, or 3x3)."""
    return [_item(name, row) for name, row in unique(records(path, load(path)), key).items()]


def _item(name: str, row: Record) -> Item[Described]:
    corners = read_corners(row)
    if (corners[:, 2] <= NEAR_M).any():
        raise row.error("corners before the camera (z above 0)", f"z = {corners[:, 2].min():g}")
    scene = row.note("scene_id", "image")
    content = Described(row.note("description"), corners, _intrinsics(row))
    return Item(name, scene, row.where, content)


def key(row: Record) -> str:
    """The id, `question_id`."""
    return row.text("question_id")


def read_corners(row: Record) -> Corners:
    """Eight corners of `bbox`, or those of `box`, centre and size along the camera's axes; metres."""
    value: Any = row.get("bbox", "box")
    expected = "eight corners in bbox, or centre and size in box"
    found = numbers(row, expected, value)
    if found.shape == (8, 3):
        return found
    if found.shape != (6,) or (found[3:] < 0).any():
        raise row.error(f"{expected}, sizes not below 0", repr(value)[:80])
    return np.array([found[:3] + (np.array(s) - 0.5) * found[3:] for s in np.ndindex(2, 2, 2)])


def _intrinsics(row: Record) -> Float64[np.ndarray, "4"]:
    value: Any = row.get("intrinsics", "K")
    expected = "fx, fy, cx, cy or a 3x3 matrix in intrinsics"
    K = numbers(row, expected, value)
    if K.shape == (3, 3):
        K = K[[0, 1, 0, 1], [0, 1, 2, 2]]
    if K.shape != (4,) or (K[:2] <= 0).any():
        raise row.error(expected, repr(value)[:80])
    return K


def rectangle(corners: Corners, intrinsics: Float64[np.ndarray, "4"]) -> Float64[np.ndarray, "4"] | None:
    """Left, top, right, bottom (px) round the projected corners; None if one is not before the camera."""
    if (corners[:, 2] <= NEAR_M).any():
        return None
    pixels = corners[:, :2] / corners[:, 2:] * intrinsics[:2] + intrinsics[2:]
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def aligned(corners: Corners, truth: Corners) -> Corners:
    """The box scaled about the camera until its centre is as deep as the truth's; as it is if behind it."""
    depth = float(corners[:, 2].mean())
    return corners if depth <= NEAR_M else np.asarray(corners * (truth[:, 2].mean() / depth))


def prediction(row: Record) -> Found:
    """The corners of a record; none only where a model's reply is told instead."""
    if not row.has("bbox", "box") and told_nothing(row):
        return Found(None, read_unread(row))
    return Found(read_corners(row))


def _rule(
    change: Callable[[Corners, Corners], Corners],
) -> Callable[[Sequence[Item[Described]], Sequence[Found | None]], dict[str, Measure]]:
    def score(items: Sequence[Item[Described]], said: Sequence[Found | None]) -> dict[str, Measure]:
        values = np.zeros((len(items), 4))
        values[:, 2:] = np.nan
        for i, (item, found) in enumerate(zip(items, said, strict=True)):
            if found is not None and found.corners is not None:
                values[i] = _compare(item.content, change(found.corners, item.content.corners))
        return _measures(values)

    return score


def _compare(truth: Described, corners: Corners) -> list[float]:
    """IoU in the image and in space, offset in the image (px; NaN without an image) and in space (m)."""
    wanted, found = rectangle(truth.corners, truth.intrinsics), rectangle(corners, truth.intrinsics)
    extents = [np.stack([c.min(axis=0), c.max(axis=0)])[None] for c in (truth.corners, corners)]
    pixels = float("nan")
    if wanted is not None and found is not None:
        pixels = float(np.linalg.norm((wanted[:2] + wanted[2:] - found[:2] - found[2:]) / 2))
    metres = float(np.linalg.norm(truth.corners.mean(axis=0) - corners.mean(axis=0)))
    return [rectangle_iou(wanted, found), float(every_iou(*extents)[0, 0]), pixels, metres]


def _measures(values: Float64[np.ndarray, "n 4"]) -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for column, name in enumerate(("iou_2d", "iou_3d")):
        found[name] = mean_of(values[:, column])
        for k in (0.25, 0.5):
            found[f"{name}@{k}"] = mean_of((values[:, column] >= k).astype(np.float64))
    for column, name in ((2, "offset_2d_px"), (3, "offset_3d_m")):
        known = np.isfinite(values[:, column])
        found[name] = mean_of(np.where(known, values[:, column], 0.0), known)
    return found


def state(_described: Described, found: Found) -> State:
    """A model's replies may hold no box."""
    return box_state(found.corners, found.unread)


BENCHMARK: Benchmark[Described, Found] = Benchmark(
    name="grounding3d",
    about="boxes in the camera's frame for descriptions of things in one image, by rules of ours",
    splits={},
    references=references,
    key=key,
    prediction=prediction,
    state=state,
    variants={
        "as_predicted": Variant(
            "IoU and offset in image and space; offsets of given boxes", _rule(lambda c, _t: c)
        ),
        "depth_aligned": Variant(
            "the same after scaling the box to the true depth of its centre", _rule(aligned)
        ),
    },
    prompt=lambda described: described.description,
    answered_with="boxes",
    boxes=BoxRule(several=False, fields=lambda _described, boxes: {"bbox": corners_field(boxes[0])}),
)
