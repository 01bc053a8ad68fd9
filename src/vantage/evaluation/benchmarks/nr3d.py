"""Nr3D: which of the annotated objects a person means (referit3d/referit3d)."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vantage.evaluation.benchmarks.answers import group_masks
from vantage.evaluation.benchmarks.boxes import Extent, Scenes, published_iou, read_box, stacked
from vantage.evaluation.benchmarks.files import Record, load, records, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, State, Variant
from vantage.evaluation.metrics.measure import Measure, by_group

_VIEW_WORDS = frozenset(
    ["front", "behind", "back", "right", "left", "facing", "leftmost", "rightmost", "looking", "across"]
)
_COUNT = re.compile(r"[0-9]{1,9}")
_LONGEST = 20_000
"""Letters of a printed list of words that Python may be asked to read; people write a few hundred."""


@dataclass(frozen=True, eq=False)
class Uttered:
    """An utterance, the object it means, and its box where boxes are known."""

    utterance: str
    target: int
    hard: bool
    view_dependent: bool
    mentions_class: bool
    box: Extent | None

    def targets(self) -> tuple[int, ...]:
        """The annotated object that is meant."""
        return (self.target,)


@dataclass(frozen=True, eq=False)
class Found:
    """An object's id, a box, or both."""

    target: int | None
    box: Extent | None


def references(path: Path, scans: Path | None) -> list[Item[Uttered]]:
    """Items of `nr3d.csv`, `question_id` being the row's number from 0, or the file's `assignmentid`."""
    scenes = Scenes(scans)
    rows = [
        row
        if row.has("question_id", "assignmentid")
        else replace(row, fields={**row.fields, "question_id": i})
        for i, row in enumerate(records(path, load(path)))
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
    content = Uttered(
        utterance=row.text("utterance"),
        target=target,
        hard=distractors > 1,
        view_dependent=not _VIEW_WORDS.isdisjoint(_tokens(row)),
        mentions_class=mentioned == "true",
        box=box,
    )
    return Item(name, scene, row.where, content)


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
    box = read_box(row)
    if not row.has("target_id"):
        if box is None:
            raise row.error("target_id, bbox or box", "none")
        return Found(None, box)
    return Found(row.whole("target_id"), box)


def state(_uttered: Uttered, _found: Found) -> State:
    """Every prediction names an object or a box."""
    return "answered"


def _groups(items: Sequence[Item[Uttered]]) -> dict[str, np.ndarray]:
    return {
        **group_masks(["hard" if item.content.hard else "easy" for item in items]),
        **group_masks(["view_dependent" if i.content.view_dependent else "view_independent" for i in items]),
        **group_masks(["mentions_class" if i.content.mentions_class else "no_class" for i in items]),
    }


def _ids(items: Sequence[Item[Uttered]], said: Sequence[Found | None]) -> dict[str, Measure]:
    if all(found is None or found.target is None for found in said):
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
)
