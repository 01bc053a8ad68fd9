"""Held-out questions some of whose views see an object from opposite sides, and how they are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from vantage.core.seeds import rng
from vantage.evaluation.opposite_views import opposite_views
from vantage.evaluation.statistics import Gain, Score, gain_between, wilson
from vantage.evaluation.table import Predictions, exact
from vantage.geometry.boxes import OrientedBox
from vantage.records.frames import kept_frames
from vantage.records.objects import SceneObject, read_objects
from vantage.records.patches import PatchCoordinates, read_patches
from vantage.records.predictions import Prediction
from vantage.records.questions import Question
from vantage.records.scan import read_scan

ABOVE_DEG = 150.0
_MARGIN_M = 0.05


@dataclass(frozen=True)
class Opposite:
    """One item on one family: questions with views from opposite sides, the others, and the difference."""

    family: str
    item: str
    opposite: Score
    others: Score
    gain: Gain


@dataclass(frozen=True)
class OppositeQuestions:
    """What is told of opposite views.

    Attributes:
        above_deg: yaws further apart than this are opposite.
        asked: questions about objects of which at least two of their views see one.
        opposite: of those, questions with a pair of opposite views of such an object.
        pairs: such pairs of views, over all questions.
        rows: scores by family and item, where a family has questions of both kinds.
    """

    above_deg: float
    asked: int
    opposite: int
    pairs: int
    rows: Sequence[Opposite]

    def record(self) -> dict[str, Any]:
        """JSON-able; per cent and points to three decimals."""
        counts = {k: v for k, v in vars(self).items() if k != "rows"}
        return {**counts, "families": [_record(row) for row in self.rows]}


def _record(row: Opposite) -> dict[str, Any]:
    parts = {name: _rounded(vars(getattr(row, name))) for name in ("opposite", "others", "gain")}
    return {"family": row.family, "item": row.item, **parts}


def opposite_pairs(inputs: Mapping[str, Path], questions: Sequence[Question]) -> dict[str, int]:
    """By question id, the pairs of opposite views of its objects; only where two views see one.

    A view sees an object if one of its patches lies in the object's box: that is what the model is given.

    Args:
        inputs: folders of the stages `extract` and `lift`.
        questions: of any scans.
    """
    found: dict[str, int] = {}
    for scan in sorted({q.scan_id for q in questions}):
        some = [q for q in questions if q.scan_id == scan]
        found |= _of_scan(inputs["extract"] / scan, inputs["lift"] / scan, some)
    return found


def _of_scan(extract: Path, lift: Path, questions: Sequence[Question]) -> dict[str, int]:
    T_aligned_raw = read_scan(extract).T_aligned_raw
    patches = read_patches(lift)
    poses = {frame.frame_id: T_aligned_raw @ frame.T_raw_cam for frame in kept_frames(extract)}
    objects = {o.object_id: o for o in read_objects(extract)}
    sees = {number: views_of(patches, o) for number, o in objects.items()}
    row_of, found = patches.row_of(), {}
    for q in questions:
        shown = [view for view in q.views if view in row_of and view in poses]
        rows = [row_of[view] for view in shown]
        asked = [k for k in dict.fromkeys(q.evidence.get("object_ids", ())) if k in objects]
        seen = np.array([sees[k][rows] for k in asked], dtype=bool).reshape(len(asked), len(rows))
        if (seen.sum(axis=1) > 1).any():
            T = np.stack([poses[view] for view in shown])
            centres = np.stack([objects[k].center for k in asked])
            found[q.question_id] = len(opposite_views(T, centres, seen, ABOVE_DEG).object)
    return found


def views_of(patches: PatchCoordinates, item: SceneObject) -> Bool[np.ndarray, " f"]:
    """Which frames have a patch in the object's box (grown by 5 cm on every side)."""
    count = len(patches.frame_ids)
    box = OrientedBox(item.center, item.size, item.rotation)
    inside = box.contains(patches.xyz_aligned.reshape(-1, 3), _MARGIN_M).reshape(count, -1)
    return np.asarray((inside & patches.valid.reshape(count, -1)).any(axis=1))


def opposite_questions(
    pairs: Mapping[str, int], predictions: Predictions, items: Sequence[str], seed: int, resamples: int
) -> OppositeQuestions | None:
    """How the items answer questions with opposite views and the others; None where there are no such views.

    Args:
        pairs: `opposite_pairs`.
        predictions: by item.
        items: those told about.
        seed, resamples: of the bootstrap over rooms.
    """
    opposite = sum(count > 0 for count in pairs.values())
    if not opposite:
        return None
    rows = []
    for family in sorted({p.family for p in predictions[items[0]] if p.question_id in pairs}):
        for item in items:
            some = [p for p in predictions[item] if p.question_id in pairs and p.family == family]
            halves = [p for p in some if pairs[p.question_id]], [p for p in some if not pairs[p.question_id]]
            if all(halves):
                rows.append(_row(family, item, *halves, seed, resamples))
    return OppositeQuestions(ABOVE_DEG, len(pairs), opposite, sum(pairs.values()), rows)


def _row(
    family: str,
    item: str,
    opposite: Sequence[Prediction],
    others: Sequence[Prediction],
    seed: int,
    resamples: int,
) -> Opposite:
    a, b = exact(opposite), exact(others)
    rooms, other_rooms = (np.array([p.room_id for p in some]) for some in (opposite, others))
    gain = gain_between(a, rooms, b, other_rooms, rng(seed, "opposite", family, item), resamples)
    return Opposite(family, item, wilson(int(a.sum()), len(a)), wilson(int(b.sum()), len(b)), gain)


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in values.items()}
