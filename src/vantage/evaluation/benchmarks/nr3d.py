"""Nr3D: which of the annotated objects a person means (referit3d/referit3d)."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vantage.evaluation.benchmarks.answers import group_masks
from vantage.evaluation.benchmarks.boxes import (
    Extent,
    Scenes,
    box_state,
    corners_field,
    extent,
    published_iou,
    read_box,
    read_unread,
    stacked,
    told_nothing,
)
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, BoxRule, Item, State, Variant
from vantage.evaluation.metrics.measure import Measure, by_group
from vantage.geometry.boxes import OrientedBox

_VIEW_WORDS = frozenset(
    ["front", "behind", "back", "right", "left", "facing", "leftmost", "rightmost", "looking", "across"]
)
_COUNT = re.compile(r"[0-9]{1,9}")
_LONGEST = 20_000
"""Letters of a printed list of words that Python may be asked to read; people write a few hundred."""


@dataclass(frozen=True, eq=False)
class Uttered:
    """An utterance, the object it means, and its box where boxes are known.

    Attributes:
        candidates: boxes of the objects to choose from, target and distractors, sorted by id so that nothing
            tells which is which; none without annotated scans.
    """

    utterance: str
    target: int
    hard: bool
    view_dependent: bool
    mentions_class: bool
    box: Extent | None
    candidates: Mapping[int, Extent] = field(default_factory=dict)

    def targets(self) -> tuple[int, ...]:
        """The annotated object that is meant."""
        return (self.target,)


@dataclass(frozen=True, eq=False)
class Found:
    """An object's id, a box, or both.

    Attributes:
        target: the id; None where none was given, or none of those to choose from fits the box.
        box: see `Extent`.
        chose: whether an id was to be chosen.
        unread: whether a model's replies held something that is no box.
    """

    target: int | None
    box: Extent | None
    chose: bool = False
    unread: bool = False


def references(path: Path, scans: Path | None) -> list[Item[Uttered]]:
    """Items of `nr3d.csv`: `question_id` is the file's `assignmentid`, or the row's number from 0.

    It is the number where the file has none of both, or where an assignment has several rows.
    """
    scenes, rows = Scenes(scans), records(path, load(path))
    assigned = Counter(str(row.fields.get("assignmentid")) for row in rows)
    numbered = max(assigned.values(), default=1) > 1
    rows = [
        row
        if row.has("question_id") or (row.has("assignmentid") and not numbered)
        else replace(row, fields={**row.fields, "question_id": i})
        for i, row in enumerate(rows)
    ]
    return [_item(name, row, scenes) for name, row in unique(rows, key).items()]


def _item(name: str, row: Record, scenes: Scenes) -> Item[Uttered]:
    scene, parts = row.text("scan_id"), row.text("stimulus_id").split("-")
    target, distractors = row.whole("target_id"), len(parts[4:])
    if len(parts) < 4 or not _COUNT.fullmatch(parts[2]):
        expected = "scene-label-objects-target-distractors in stimulus_id"
        raise row.error(expected, row.text("stimulus_id")[:80])
    if parts[2:4] != [str(distractors + 1), str(target)]:
        raise row.error(
            f"{int(parts[2]) - 1} distractors and target {target} in stimulus_id",
            row.text("stimulus_id")[:80],
        )
    mentioned = str(row.fields.get("mentions_target_class", "True")).lower()
    if mentioned not in ("true", "false"):
        raise row.error("true or false in mentions_target_class", mentioned[:80])
    box = read_box(row)
    if box is None and scenes.folder is not None:
        box = scenes.box(scene, target, row)
    candidates = {}
    if scenes.folder is not None:
        candidates = {k: scenes.box(scene, k, row) for k in sorted({target, *_distractors(row, parts[4:])})}
    content = Uttered(
        utterance=row.text("utterance"),
        target=target,
        hard=distractors > 1,
        view_dependent=not _VIEW_WORDS.isdisjoint(_tokens(row)),
        mentions_class=mentioned == "true",
        box=box,
        candidates=candidates,
    )
    return Item(name, scene, row.where, content)


def _distractors(row: Record, parts: Sequence[str]) -> list[int]:
    if not all(part.isdigit() for part in parts):
        raise row.error("numbers of distractors in stimulus_id", row.text("stimulus_id"))
    return [int(part) for part in parts]


def _tokens(row: Record) -> list[str]:
    """The tokens as the csv has them, a printed Python list; their case matters to the published rule."""
    value = row.get("tokens")
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value[:_LONGEST])
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise row.error("a printed list of words in tokens", value[:80]) from error
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise row.error("a list of words in tokens", repr(value)[:80])
    return value


def key(row: Record) -> str:
    """The id: `question_id` or `assignmentid`."""
    return row.text("question_id", "assignmentid")


def prediction(row: Record) -> Found:
    """A `target_id`, or a box."""
    box, chose = read_box(row), CHOSEN_AMONG in row.fields
    if not row.has("target_id"):
        if box is None and not told_nothing(row):
            raise row.error("target_id, bbox or box", "none")
        return Found(None, box, chose, read_unread(row))
    return Found(row.whole("target_id"), box, chose=True)


def state(_uttered: Uttered, found: Found) -> State:
    """A model's replies may hold neither an object nor a box."""
    return "answered" if found.target is not None else box_state(found.box, found.unread)


CHOSEN_AMONG = "chosen_among"
"""The field of a prediction that says among which annotated objects a located box chose its `target_id`."""


def fields(uttered: Uttered, boxes: Sequence[OrientedBox]) -> dict[str, Any]:
    """The box; and of the candidates, where they are known, the one that its extent overlaps most.

    A box that overlaps none chooses none. Ties fall to the lower id.
    """
    box = boxes[0]
    if not uttered.candidates:
        return {"bbox": corners_field(box)}
    ids = sorted(uttered.candidates)
    own = np.repeat(extent(box)[None], len(ids), axis=0)
    iou = published_iou(own, stacked([uttered.candidates[k] for k in ids]))
    best = int(np.argmax(iou))
    chosen = {"target_id": ids[best]} if iou[best] > 0 else {}
    return {"bbox": corners_field(box), **chosen, CHOSEN_AMONG: ids}


def _groups(items: Sequence[Item[Uttered]]) -> dict[str, np.ndarray]:
    return {
        **group_masks(["hard" if item.content.hard else "easy" for item in items]),
        **group_masks(["view_dependent" if i.content.view_dependent else "view_independent" for i in items]),
        **group_masks(["mentions_class" if i.content.mentions_class else "no_class" for i in items]),
    }


def _ids(items: Sequence[Item[Uttered]], said: Sequence[Found | None]) -> dict[str, Measure]:
    if all(found is None or not found.chose for found in said):
        return {}
    pairs = zip(items, said, strict=True)
    hits = [found is not None and found.target == item.content.target for item, found in pairs]
    return by_group("accuracy", np.array(hits, dtype=np.float64), _groups(items))


def _iou(items: Sequence[Item[Uttered]], said: Sequence[Found | None]) -> dict[str, Measure]:
    boxes = {i: f.box for i, f in enumerate(said) if f is not None and f.box is not None}
    truth = {i: items[i].content.box for i in boxes}
    known = [i for i, box in truth.items() if box is not None]
    if not known:
        return {}
    iou = np.zeros(len(items))
    targets = [box for box in truth.values() if box is not None]
    iou[known] = published_iou(stacked(targets), stacked([boxes[i] for i in known]))
    found: dict[str, Measure] = {}
    for k in (0.25, 0.5, 0.9):
        found |= by_group(f"acc@{k}", (iou >= k).astype(np.float64), _groups(items))
    return found


BENCHMARK: Benchmark[Uttered, Found] = Benchmark(
    name="nr3d",
    about="which of the annotated objects a person means (referit3d/referit3d)",
    splits={"all": 41503, "test, class mentioned": 7485},
    references=references,
    key=key,
    prediction=prediction,
    state=state,
    variants={
        "official": Variant("the annotated object chosen by id", _ids),
        "iou": Variant("box IoU >= k: 0.9 is M3DRef-CLIP's, 0.25 and 0.5 Video-3D-LLM's; needs boxes", _iou),
    },
    prompt=lambda uttered: uttered.utterance,
    answered_with="boxes",
    boxes=BoxRule(several=False, fields=fields),
)
