"""Objects asked about in pictures in which they are marked; whose boxes; and what a model is not told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_rooms import Rooms
from captioned_rooms import scan2cap

from vantage.core.errors import ContractError
from vantage.evaluation.benchmarks.boxes import every_iou
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.described import Boxes
from vantage.evaluation.running.object_views import ObjectViews
from vantage.evaluation.running.outlined_views import OutlinedViews
from vantage.evaluation.running.outlines import RED, ring
from vantage.evaluation.running.scan_views import ScanViews
from vantage.geometry.boxes import axis_box

RULE = BENCHMARKS.get("scan2cap")
VIEWS = 4


def items_of(rooms: Rooms, path: Path) -> list[Item[Any]]:
    return [i for i in RULE.references(path, rooms.scans) if i.scene == "room0000_00"]


def asks_of(rooms: Rooms, items: list[Item[Any]], boxes: Boxes) -> list[Ask | SetAside]:
    prompts = {item.id: RULE.prompt(item.content) for item in items}
    return OutlinedViews(rooms.scans, VIEWS, boxes=boxes).asks(items, prompts)


@pytest.fixture(scope="module")
def items(asked_rooms: Rooms, tmp_path_factory: pytest.TempPathFactory) -> list[Item[Any]]:
    return items_of(asked_rooms, scan2cap(asked_rooms, tmp_path_factory.mktemp("scan2cap") / "ref.json"))


@pytest.fixture(scope="module")
def asks(asked_rooms: Rooms, items: list[Item[Any]]) -> list[Ask]:
    found = asks_of(asked_rooms, items, Boxes.annotated(items))
    return [ask for ask in found if isinstance(ask, Ask)]


def scan_of(ask: Ask) -> ScanViews:
    assert ask.scan is not None
    return ask.scan


def test_the_object_is_marked_wherever_it_shows_and_nowhere_else(
    asked_rooms: Rooms, items: list[Item[Any]], asks: list[Ask]
) -> None:
    recorded = OutlinedViews(asked_rooms.scans, boxes=Boxes.annotated(items))._open("room0000_00")
    views, content = ObjectViews(recorded), {item.id: item.content for item in items}
    unmarked = 0
    for ask in asks:
        box, scan = axis_box(content[ask.id].box), scan_of(ask)
        assert scan.frames[0].frame_id == views.best(box).frame_id
        assert len(scan.frames) == VIEWS == len({f.frame_id for f in scan.frames})
        assert {f.frame_id for f in scan.frames} <= {f.frame_id for f in recorded.good}
        for frame, view in zip(scan.frames, ask.views, strict=True):
            plain = np.asarray(ScanViews(scan.folder, scan.meta, (frame,)).views()[0].image())
            marked = np.asarray(view.image())
            line = np.zeros(plain.shape[:2], dtype=bool)
            if views.shows(box, frame):
                line = ring(views.outline(box, frame), plain.shape[1], plain.shape[0], gap=True)
                assert line.any()
            else:
                unmarked += 1
            assert (marked[line] == RED).all()
            np.testing.assert_array_equal(marked[~line], plain[~line])
        assert scan.frames[0].frame_id in scan.outlines
    assert len(asks) > 8 and unmarked > 8


def test_a_request_has_marked_pixels_and_geometry_as_it_is(asks: list[Ask]) -> None:
    scan = scan_of(asks[0])
    plain = ScanViews(scan.folder, scan.meta, scan.frames).request("?")
    marked = scan.request("?")
    for name in plain:
        if name != "images":
            np.testing.assert_array_equal(marked[name], plain[name])
    for view, image, before in zip(asks[0].views, marked["images"], plain["images"], strict=True):
        np.testing.assert_array_equal(np.asarray(view.image()), image)
        assert (image != before).any() == (view.name.split()[-1] in map(str, scan.outlines))


def test_what_is_shown_is_told_apart_by_the_outline(asks: list[Ask]) -> None:
    assert len({ask.input for ask in asks}) == len(asks)
    scan = scan_of(asks[0])
    assert ScanViews(scan.folder, scan.meta, scan.frames).digest() != asks[0].input == scan.digest()


def test_nothing_of_names_and_captions_is_told(asked_rooms: Rooms, asks: list[Ask], tmp_path: Path) -> None:
    other = items_of(asked_rooms, scan2cap(asked_rooms, tmp_path / "ref.json", words="xylophone"))
    assert all("xylophone" in text for item in other for text in item.content.captions)
    found = {a.id: a for a in asks_of(asked_rooms, other, Boxes.annotated(other)) if isinstance(a, Ask)}
    assert list(found) == [ask.id for ask in asks]
    for ask in asks:
        again = found[ask.id]
        assert (again.prompt, again.input, again.fields) == (ask.prompt, ask.input, ask.fields)
        assert [v.name for v in again.views] == [v.name for v in ask.views]


def test_every_line_says_which_box_and_whose(items: list[Item[Any]], asks: list[Ask]) -> None:
    content = {item.id: item.content for item in items}
    for ask in asks:
        assert ask.fields["boxes"] == "annotated"
        np.testing.assert_array_equal(ask.fields["aabb_bound"], content[ask.id].box)


def test_an_object_that_no_frame_shows_is_set_aside(asked_rooms: Rooms, items: list[Item[Any]]) -> None:
    away = {**Boxes.annotated(items).of, items[0].id: np.array([[40.0, 40, 0], [41, 41, 1]])}
    aside, *others = asks_of(asked_rooms, items[:3], Boxes("annotated", away))
    assert isinstance(aside, SetAside) and "no frame shows the object" in aside.reason
    assert all(isinstance(ask, Ask) for ask in others)


def proposals(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def moved(item: Item[Any], by: float) -> dict[str, Any]:
    low, high = item.content.box
    center, size = (low + high) / 2 + by, high - low
    return {"scene_id": item.scene, "box": [*center.tolist(), *size.tolist()], "score": 0.5}


def test_objects_get_proposals_as_uploads_are_scored(
    asked_rooms: Rooms, items: list[Item[Any]], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    rows = [moved(item, float(by)) for item in items for by in rng.uniform(-0.3, 0.3, 2)]
    del rows[:2]
    rows += [
        {
            "scene_id": "room0000_00",
            "bbox": [[50 + x, 50 + y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)],
        },
        {**moved(items[0], 0.0), "scene_id": "elsewhere"},
    ]
    found = Boxes.proposals(proposals(tmp_path / "boxes.jsonl", rows), items)
    assert (found.source, found.proposed, found.elsewhere) == ("proposal", {"room0000_00": len(rows) - 1}, 1)
    given = np.stack([item.content.box for item in items if item.id in found.of])
    total = sum(every_iou(given[i : i + 1], box[None])[0, 0] for i, box in enumerate(found.of.values()))
    nearest = sum(
        max(float(every_iou(item.content.box[None], extent_of(row))[0, 0]) for row in rows[:-2])
        for item in items[1:]
    )
    assert 0.6 * nearest < total <= nearest + 1e-9
    assert len({box.tobytes() for box in found.of.values()}) == len(found.of), "one object each"
    lacking = [item.id for item in items if item.id not in found.of]
    for ask in asks_of(asked_rooms, items, found):
        if ask.id in lacking:
            assert isinstance(ask, SetAside) and "no proposal touches" in ask.reason
        elif isinstance(ask, Ask):
            assert ask.fields["boxes"] == "proposal"
            np.testing.assert_array_equal(ask.fields["aabb_bound"], found.of[ask.id])


def extent_of(row: dict[str, Any]) -> np.ndarray:
    center, size = np.array(row["box"][:3]), np.array(row["box"][3:])
    return np.stack([center - size / 2, center + size / 2])[None]


def test_other_boxes_are_another_run(items: list[Item[Any]], tmp_path: Path) -> None:
    annotated = Boxes.annotated(items).settings()
    near = Boxes.proposals(proposals(tmp_path / "a.jsonl", [moved(i, 0.1) for i in items]), items).settings()
    far = Boxes.proposals(proposals(tmp_path / "b.jsonl", [moved(i, 0.2) for i in items]), items).settings()
    assert len({s["boxes_digest"] for s in (annotated, near, far)}) == 3
    assert (annotated["boxes"], near["boxes"]) == ("annotated", "proposal")


@pytest.mark.parametrize(("row", "words"), [({"scene_id": "a"}, "a box"), ({"box": [0] * 6}, "scene_id")])
def test_a_proposal_needs_scene_and_box(
    row: dict[str, Any], words: str, items: list[Item[Any]], tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=rf"boxes.jsonl:1[\s\S]*{words}"):
        Boxes.proposals(proposals(tmp_path / "boxes.jsonl", [row]), items)
