"""Where the asker stands by each source; what recover chose; and that annotated places stay out of it."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asked_rooms import Rooms

from vantage.core.errors import ParameterError
from vantage.core.recent import Recent
from vantage.core.tasks import Task
from vantage.evaluation.benchmarks.boxes import Scenes
from vantage.evaluation.benchmarks.files import Record
from vantage.evaluation.benchmarks.interface import Item
from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.benchmarks.scanqa_boxes import Target
from vantage.evaluation.named_objects import named_objects
from vantage.evaluation.running.ask import Ask, SetAside
from vantage.evaluation.running.located import located
from vantage.evaluation.running.pose_source import POSE_SOURCES, PosedElsewhere, PoseSource
from vantage.geometry.transforms import level_ego
from vantage.geometry.warp import ImageWarp, squash
from vantage.lift.patches import patch_coordinates
from vantage.records.frames import read_frames
from vantage.records.objects import SceneObject, read_objects
from vantage.records.visibility import read_visibility
from vantage.recover.config import RecoverConfig
from vantage.recover.selection import Selection, choose_pose
from vantage.recover.stage import recover
from vantage.scans.config import ExtractConfig
from vantage.scans.pixels import read_depth
from vantage.scans.stage import extract

SCAN = "room0000_00"
OPEN: Recent[Any] = Recent(1)
ELSEWHERE: list[PoseSource] = [source for source in POSE_SOURCES if source != "annotated"]
RECOVERED: list[PoseSource] = [source for source in ELSEWHERE if source.startswith("recovered")]


def items_of(rooms: Rooms, benchmark: str = "sqa3d", path: Path | None = None) -> list[Item[Any]]:
    references = path or (rooms.sqa3d if benchmark == "sqa3d" else rooms.scanqa)
    found = BENCHMARKS.get(benchmark).references(references, None)
    return [item for item in found if item.scene == SCAN]


def asks(rooms: Rooms, items: list[Item[Any]], source: PoseSource, seed: int = 0) -> list[Ask]:
    builder = PosedElsewhere(rooms.scans, 3, source=source, seed=seed)
    builder._recent = OPEN  # a scan is opened once for all tests
    found = builder.asks(items, {item.id: item.content.question for item in items})
    assert not [one for one in found if isinstance(one, SetAside)], found
    return [one for one in found if isinstance(one, Ask)]


def about(items: list[Item[Any]], ids: tuple[int, ...]) -> list[Item[Any]]:
    target = Target(Record("", {"object_ids": list(ids)}), Scenes(None))
    return [replace(item, content=replace(item.content, target=target)) for item in items]


@pytest.fixture(scope="module")
def stages(asked_rooms: Rooms, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `extract` and `recover` make of the scan."""
    folder = tmp_path_factory.mktemp("stages")
    for stage in ("extract", "recover", "work"):
        (folder / stage).mkdir()
    raw = {"download": asked_rooms.scans / SCAN}
    extract(Task(SCAN, raw, folder / "extract", folder / "work", 0), ExtractConfig())
    inputs = {**raw, "extract": folder / "extract"}
    recover(Task(SCAN, inputs, folder / "recover", folder / "work", 0), RecoverConfig())
    return folder


@pytest.mark.parametrize("source", RECOVERED)
def test_recovered_poses_are_those_of_recover_itself(
    asked_rooms: Rooms, stages: Path, source: PoseSource
) -> None:
    objects = read_objects(stages / "extract")
    found = read_visibility(stages / "recover").intersections()
    poses = {f.frame_id: f.T_raw_cam for f in read_frames(stages / "extract") if f.kept}
    leaks = source.endswith("target")
    target = (objects[-1].object_id,)
    items = about(items_of(asked_rooms, "scanqa"), target)
    some = 0
    for item, ask in zip(items, asks(asked_rooms, items, source, seed=7), strict=True):
        ids = list(target) if leaks else named_objects(item.content.question, objects)
        some += bool(ids)
        strategy: Any = source.split("_")[1]
        choice = choose_pose(
            found, poses, ids, Selection(strategy, seed=7, ids_are_target=leaks), key=item.id
        )
        expected = {**choice.record(), "pose_frame_id": choice.frame_id}
        assert ask.fields == expected
        assert json.loads(json.dumps(ask.fields)) == expected, "it can stand in the file"
        assert ask.fields["pose_uses_target"] == leaks
        assert ask.scan is not None and choice.T_world_pose is not None
        assert ask.scan.frames[0].frame_id == choice.frame_id
        np.testing.assert_array_equal(ask.scan.eyes, choice.T_world_pose)
    assert some >= 2, "some questions name objects of the room"


def test_a_question_that_names_nothing_gets_a_random_pose_and_says_so(asked_rooms: Rooms) -> None:
    items = items_of(asked_rooms)
    piano = next(k for k, item in enumerate(items) if "piano" in item.content.question)
    fields = asks(asked_rooms, items, "recovered_top")[piano].fields
    assert (fields["pose_fallback"], fields["pose_score"], fields["pose_object_id"]) == (
        "no_object",
        None,
        None,
    )


@pytest.mark.parametrize("source", ELSEWHERE)
def test_the_annotated_place_does_not_reach_a_run_with_another_source(
    asked_rooms: Rooms, tmp_path: Path, source: PoseSource
) -> None:
    for file in asked_rooms.sqa3d.parent.glob("v1_*.json"):
        shutil.copy(file, tmp_path)
    path = tmp_path / asked_rooms.sqa3d.name
    rows = json.loads(path.read_text())["annotations"]
    for number, row in enumerate(rows):
        row["position"] = {"x": 1.0 + number, "y": 2.0, "z": 0.0}
        row["rotation"] = "nowhere" if number % 2 else {"_x": 0.0, "_y": 0.0, "_z": 1.0, "_w": 0.0}
    path.write_text(json.dumps({"annotations": rows}))
    items, moved = items_of(asked_rooms), items_of(asked_rooms, path=path)
    if source.endswith("target"):
        with pytest.raises(AssertionError, match="do not say which object"):
            asks(asked_rooms, items, source)
        return
    before, after = (asks(asked_rooms, some, source) for some in (items, moved))
    assert [(a.input, a.fields) for a in before] == [(b.input, b.fields) for b in after]


def test_where_nobody_knows_points_stay_in_the_aligned_world(asked_rooms: Rooms) -> None:
    def warp(width: int, height: int, _together: int) -> ImageWarp:
        return squash(width, height, 64, 8)

    (ask, *others) = asks(asked_rooms, items_of(asked_rooms), "none")
    assert {one.input for one in others} == {ask.input}
    scan = ask.scan
    assert scan is not None
    np.testing.assert_allclose(level_ego(scan.T_aligned_me), np.eye(4), atol=1e-6)
    meta = scan.meta
    for frame in ("ego_level", "ego_camera"):
        for view, shown in zip(located(scan, frame, warp), scan.frames, strict=True):
            points = patch_coordinates(
                read_depth(scan.folder, meta, shown), meta.depth_of(shown),
                meta.T_aligned_raw @ shown.T_raw_cam, meta.color_of(shown),
                warp(meta.color.width, meta.color.height, 1), 0.0,
            )  # fmt: skip
            assert view.pictures is not None
            (grid,) = view.pictures
            valid = grid.valid.numpy()
            assert valid.any()
            np.testing.assert_allclose(grid.xyz.numpy()[valid], points.xyz_world[valid], atol=1e-5)


def test_the_first_view_is_one_of_coverage_and_the_asker_stands_there(asked_rooms: Rooms) -> None:
    nowhere, first = (asks(asked_rooms, items_of(asked_rooms), s)[0].scan for s in ("none", "first_view"))
    assert nowhere is not None and first is not None
    assert [f.frame_id for f in first.frames] == [f.frame_id for f in nowhere.frames]
    np.testing.assert_array_equal(first.eyes, first.frames[0].T_raw_cam)


def test_random_poses_follow_from_the_seed_and_are_spread(asked_rooms: Rooms) -> None:
    def drawn(seed: int) -> list[int]:
        return [
            ask.fields["pose_frame_id"] for ask in asks(asked_rooms, items_of(asked_rooms), "random", seed)
        ]

    assert drawn(1) == drawn(1)
    assert len({frame for seed in range(6) for frame in drawn(seed)}) > 4


def test_settings_tell_the_source_and_leave_out_what_does_not_matter(asked_rooms: Rooms) -> None:
    def settings(source: PoseSource) -> dict[str, Any]:
        return dict(PosedElsewhere(asked_rooms.scans, source=source, seed=4).settings())

    assert settings("random") == {
        "views": 8, "stride": 1, "origin": "aligned_centre", "frames": "coverage", "pose_source": "random",
        "pose_seed": 4,
    }  # fmt: skip
    assert "pose_seed" not in settings("none")


def thing(number: int, label: str, nyu40: str) -> SceneObject:
    at = np.zeros(3)
    return SceneObject(number, label, 1, nyu40, None, at, at, np.eye(3), 1)


ROOM = [
    thing(4, "coffee table", "table"), thing(2, "table", "table"), thing(7, "couch", "sofa"),
    thing(1, "office chair", "chair"), thing(3, "floor", "floor"), thing(5, "shelf", "shelves"),
    thing(6, "unicorn", "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("What is on the coffee table?", [4]),
        ("Are the tables brown?", [2, 4]),
        ("I sit on the sofa facing two chairs; is the sofa red?", [7, 1]),
        ("My couch.", [7]),
        ("which shelves are on the floor", [5]),
        ("an armchair", [1]),
        ("the stable, the chairlift", []),
        ("an unknown unicorn", [6]),
        ("", []),
    ],
)
def test_objects_are_found_by_the_longest_name_of_their_class(text: str, ids: list[int]) -> None:
    assert named_objects(text, ROOM) == ids


def test_targets_are_read_from_the_references(tmp_path: Path) -> None:
    row = {"question_id": "a", "scene_id": SCAN, "question": "q", "answers": ["b"]}
    path = tmp_path / "ScanQA.json"
    path.write_text(json.dumps([{**row, "object_ids": [3, 8]}, {**row, "question_id": "b"}]))
    first, second = BENCHMARKS.get("scanqa").references(path, None)
    assert (first.content.targets(), second.content.targets()) == ((3, 8), ())
    with pytest.raises(ParameterError, match="do not say"):
        from vantage.evaluation.running.pose_source import targets_of

        targets_of(replace(first, content=math))
