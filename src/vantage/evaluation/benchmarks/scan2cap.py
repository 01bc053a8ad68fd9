"""Scan2Cap: a caption for every object, gated by how well the object was found (daveredrum/Scan2Cap)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vantage.evaluation.benchmarks.boxes import Extent, Scenes, read_box
from vantage.evaluation.benchmarks.files import Record, load, predicted, records, require_known, unique
from vantage.evaluation.benchmarks.interface import Benchmark, Item, State
from vantage.evaluation.benchmarks.scan2cap_rules import VARIANTS
from vantage.evaluation.benchmarks.scan2cap_uploads import Caption, proposed_of, read_upload, with_spare

PROMPT = (
    "One object is outlined in red: in the first picture, and in each other one that shows it. Describe this"
    " object in one sentence that tells it from all others in the room: what it is, what it looks like"
    " (colour, shape, material), and where it stands relative to the objects around it. Do not mention the"
    " outline or the pictures."
)


@dataclass(frozen=True, eq=False)
class Described:
    """An object: its box and what people wrote about it, tokens separated by spaces, unwrapped."""

    box: Extent
    captions: tuple[str, ...]


def references(path: Path, scans: Path | None) -> list[Item[Described]]:
    """Items of `ScanRefer_filtered_SPLIT.json` (by object), or of a corpus file: key to captions.

    Boxes are the records' own, or come from the scans.
    """
    value, scenes = load(path), Scenes(scans)
    if isinstance(value, dict):
        return [_from_corpus(name, row, scenes) for name, row in corpus(path, value).items()]
    grouped: dict[str, list[Record]] = {}
    for row in records(path, value):
        grouped.setdefault(object_key(row.text("scene_id"), row.text("object_id")), []).append(row)
    return [_from_records(scenes, name, rows) for name, rows in grouped.items()]


def _from_records(scenes: Scenes, name: str, rows: Sequence[Record]) -> Item[Described]:
    first = rows[0]
    captions = [" ".join(r.texts("token")) if r.has("token") else r.text("description") for r in rows]
    scene = first.text("scene_id")
    box = read_box(first)
    if box is None:
        box = scenes.box(scene, first.whole("object_id"), first)
    return Item(name, scene, first.where, Described(box, tuple(captions)))


def corpus(path: Path, value: Mapping[str, Any]) -> dict[str, Record]:
    """The objects of a corpus file, key to captions, with `scene_id`, `object_id` and `captions` as fields.

    `ContractError` for a key of another form, an object that comes twice, and one without captions.
    """
    rows = []
    for name, texts in value.items():
        fields = texts if isinstance(texts, dict) else {"captions": texts}
        parts = name.split("|")
        row = Record(f"{path}, key {name}", fields)
        if len(parts) < 2 or not all(parts[:2]):
            raise row.error("scene|object_id as a key", repr(name)[:80])
        if not row.texts("captions"):
            raise row.error("at least one caption", "none")
        rows.append(Record(row.where, {**fields, "scene_id": parts[0], "object_id": parts[1]}))
    return unique(rows, lambda row: object_key(row.text("scene_id"), row.text("object_id")))


def unwrapped(row: Record) -> tuple[str, ...]:
    """The captions of a corpus without the words that they begin and end with."""
    return tuple(text.removeprefix("sos ").removesuffix(" eos") for text in row.texts("captions"))


def _from_corpus(name: str, row: Record, scenes: Scenes) -> Item[Described]:
    scene, box = row.text("scene_id"), read_box(row)
    if box is None:
        box = scenes.box(scene, row.whole("object_id"), row)
    return Item(name, scene, row.where, Described(box, unwrapped(row)))


def object_key(scene: str, object_id: str) -> str:
    """`scene|object_id`: the object's name, which the legacy keys add, tells no objects apart."""
    return f"{scene}|{object_id}"


def key(row: Record) -> str:
    """The object: `scene_id` and `object_id`, or `question_id` as `scene|object_id`, a name added or not."""
    if row.has("question_id"):
        parts = row.text("question_id").split("|")
        if len(parts) < 2:
            raise row.error("scene|object_id in question_id", repr(row.text("question_id"))[:80])
        return object_key(*parts[:2])
    return object_key(row.text("scene_id"), row.text("object_id"))


def prediction(row: Record) -> Caption:
    """A caption (`caption` or `text`) with its box."""
    box = read_box(row)
    if box is None:
        raise row.error("a box beside the caption: bbox or box", "none")
    texts = row.texts("caption", "text")
    return Caption(texts[0] if texts else "", box)


def upload(path: Path, value: Any, items: Sequence[Item[Described]]) -> dict[str, Caption] | None:
    """Captions of an upload, scene to proposals, given to objects; None for another format.

    Also those of `vantage predict` about a detector's proposals, whose header tells how many there were.
    """
    proposed = proposed_of(value)
    if proposed is None:
        return read_upload(path, value, items)
    rows = unique(predicted(path, value, BENCHMARK.name), key)
    require_known(rows, dict.fromkeys(item.id for item in items))
    return with_spare({name: prediction(row) for name, row in rows.items()}, items, proposed)


def state(_described: Described, caption: Caption) -> State:
    """Any caption is one."""
    if caption.box is None:
        return "missing"
    return "answered" if caption.text.strip() else "empty"


BENCHMARK: Benchmark[Described, Caption] = Benchmark(
    name="scan2cap",
    about="a caption for every object, gated by its box (daveredrum/Scan2Cap)",
    splits={"val": 2068},
    references=references,
    key=key,
    prediction=prediction,
    state=state,
    variants=VARIANTS,
    prompt=lambda _described: PROMPT,
    upload=upload,
    answered_with="caption",
)
