from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from question_rooms import random_scene, scan_task
from vantage.core.errors import ContractError, ParameterError
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.questions.config import SynthesizeConfig
from vantage.questions.families import FAMILY_NAMES, Margins
from vantage.questions.recorded import read_recorded
from vantage.questions.scene import Scene, Situated
from vantage.questions.situations import situations_of
from vantage.questions.split import split_of
from vantage.questions.stage import read_scene, summarize, synthesize
from vantage.questions.words import tokenize
from vantage.records.index import IndexRow
from vantage.records.objects import read_objects, write_objects
from vantage.records.questions import read_questions, write_questions

CONFIG = SynthesizeConfig()


def room(seed: int) -> Scene:
    return random_scene(np.random.default_rng(seed))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return scan_task(tmp_path, "room0001_00", room(1))


def test_questions_of_a_scan_are_whole(task: Task) -> None:
    facts = synthesize(task, CONFIG)
    questions = read_questions(task.out)
    assert facts["questions"] == len(questions) > 50
    assert {q.family for q in questions} == set(FAMILY_NAMES)
    assert {q.split for q in questions} == {split_of("room0001", CONFIG.held_out_share)}
    assert {q.learnable_by_pocket for q in questions if q.family == "nearest_to"} == {False}
    assert all(q.learnable_by_pocket for q in questions if q.family != "nearest_to")
    for q in questions:
        assert q.views[0] == q.ego_frame_id and len(q.views) == 4 and 5 not in q.views
        assert q.pose_source == "recorded_frame" and not q.pose_uses_target and q.ego_frame == "ego_level"
        assert q.reasoning.endswith(f" {q.answer}.") and tokenize(q.question)
        assert set(q.evidence) == {"object_ids", "names", "measured", "margin", "frame"}
    by_ego = {q.ego_frame_id: (q.views, q.T_aligned_ego.tolist()) for q in questions}
    assert all(by_ego[q.ego_frame_id] == (q.views, q.T_aligned_ego.tolist()) for q in questions)


def test_the_recorded_pose_and_views_give_the_recorded_slice_and_evidence(task: Task) -> None:
    synthesize(task, CONFIG)
    recorded = read_recorded(task.inputs["extract"], task.inputs["recover"], CONFIG.min_visible_px)
    scene = read_scene(task.inputs["extract"])
    for q in read_questions(task.out):
        if q.family != "direction":
            continue
        (object_id,) = q.evidence["object_ids"]
        column = recorded.object_ids.index(object_id)
        rows = [recorded.frame_ids.index(frame) for frame in q.views]
        assert (q.slice == "seen") == bool(recorded.sees[rows[0], column])
        assert recorded.sees[rows, column].any(), "asked about an object that no view shows"
        x, y, _, _ = np.linalg.solve(q.T_aligned_ego, [*scene.by_id[object_id].center, 1.0])
        measured = q.evidence["measured"]
        assert (measured["x_m"], measured["y_m"]) == pytest.approx((x, y), abs=0.006)
        assert q.answer == f"{'front' if x > 0 else 'back'}-{'left' if y > 0 else 'right'}"


def test_same_bytes_again_and_others_for_another_seed(tmp_path: Path) -> None:
    digests = []
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        task = scan_task(tmp_path / folder, "room0001_00", room(1), seed=seed)
        synthesize(task, CONFIG)
        digests.append(digest_tree(task.out))
    assert digests[0] == digests[1] != digests[2]


def test_a_scan_without_objects_has_an_empty_table(tmp_path: Path) -> None:
    task = scan_task(tmp_path, "empty_00", Scene([]))
    assert synthesize(task, CONFIG)["questions"] == 0
    assert read_questions(task.out) == []
    rows = [IndexRow("empty_00", "done", "x")]
    summarize(replace(task, out=task.out.parent), CONFIG, rows)
    summary = json.loads((task.out.parent / "summary.json").read_text())
    assert summary["questions"] == 0 and summary["scans_without_questions"] == ["empty_00"]


def test_an_object_of_an_unknown_class_is_counted_and_not_asked_about(task: Task) -> None:
    extract = task.inputs["extract"]
    objects = read_objects(extract)
    objects[0] = replace(objects[0], label="ladder", nyu40="otherfurniture")
    objects[1] = replace(objects[1], label="bed side table", nyu40="night stand")
    write_objects(extract, objects)
    synthesize(task, CONFIG)
    dropped = json.loads((task.out / "dropped.json").read_text())
    assert dropped["objects"] == {"label outside the vocabulary": 1}
    assert read_scene(extract).by_id[1].label == "nightstand"
    assert all("ladder" not in q.question for q in read_questions(task.out))


def test_height_is_the_vertical_extent_of_a_tilted_box(task: Task) -> None:
    extract = task.inputs["extract"]
    objects = read_objects(extract)
    lying = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    objects[0] = replace(objects[0], rotation=lying, size=np.array([0.3, 0.5, 1.7]))
    write_objects(extract, objects)
    assert read_scene(extract).objects[0].size[2] == pytest.approx(0.3)


def test_kept_frames_without_visibility_break_the_contract(tmp_path: Path) -> None:
    long = scan_task(tmp_path / "long", "room0001_00", room(1), frames=12)
    short = scan_task(tmp_path / "short", "room0001_00", room(1), frames=8)
    task = replace(long, inputs={**long.inputs, "recover": short.inputs["recover"]})
    with pytest.raises(ContractError, match="no visibility") as caught:
        synthesize(task, CONFIG)
    assert "frame 80 and 3 more" in str(caught.value)


def test_held_out_rooms_have_few_egos(tmp_path: Path) -> None:
    for share, egos in ((0.0, 12), (1.0, CONFIG.heldout_egos)):
        task = scan_task(tmp_path / str(share), "room0001_00", room(1))
        synthesize(task, replace(CONFIG, held_out_share=share))
        questions = read_questions(task.out)
        assert len({q.ego_frame_id for q in questions}) == egos
        assert {q.split for q in questions} == {"heldout" if share else "train"}


def test_no_family_exceeds_its_quota_and_unseen_keeps_up_with_seen(task: Task) -> None:
    config = replace(CONFIG, questions={"direction": 4, "exist": 2}, held_out_share=0.0)
    synthesize(task, config)
    questions = read_questions(task.out)
    assert {q.family for q in questions} == {"direction", "exist"}
    assert sum(q.family == "exist" for q in questions) == 24
    slices = [q.slice for q in questions if q.family == "direction"]
    assert len(slices) <= 48 and slices.count("seen") <= 24
    assert slices.count("unseen") >= 18


def test_summary_counts_what_the_tables_hold(tmp_path: Path) -> None:
    rows = []
    for number in range(6):
        scan = f"room{number // 2:04d}_{number % 2:02d}"
        synthesize(scan_task(tmp_path, scan, room(number)), CONFIG)
        rows.append(IndexRow(scan, "done", "x"))
    rows.append(IndexRow("room0009_00", "set_aside", reason="bad"))
    task = Task("synthesize", {}, tmp_path / "out", tmp_path / "work", 3)
    facts = summarize(task, CONFIG, rows)
    summary = json.loads((task.out / "summary.json").read_text())
    tables = [pq.read_table(path).to_pylist() for path in sorted(task.out.glob("*/questions.parquet"))]
    table = [row for part in tables for row in part]
    assert facts == {"questions": len(table), "scans": 6} and summary["questions"] == len(table)
    assert sum(summary["rooms"].values()) == 3
    for split, families in summary["splits"].items():
        for name, counted in families.items():
            of_family = [r for r in table if (r["split"], r["family"]) == (split, name)]
            answers = [r["answer"] for r in of_family]
            assert counted["questions"] == len(of_family) == sum(counted["answers"].values())
            largest = max(map(answers.count, set(answers)))
            assert counted["majority_share"] == pytest.approx(largest / len(answers), abs=1e-4)
            assert counted["learnable_by_pocket"] == (name != "nearest_to")
            if name in ("exist", "nearest", "size", "nearest_to"):
                assert counted["answers"]["yes"] == counted["answers"]["no"]
            for part, inner in counted.get("slices", {}).items():
                assert inner["questions"] == sum(r["slice"] == part for r in of_family)
    assert summary["dropped"]["direction"]["within the margin"] > 0


def test_a_room_in_two_splits_is_refused(tmp_path: Path) -> None:
    for visit, share in (("00", 0.0), ("01", 1.0)):
        task = scan_task(tmp_path, f"room0001_{visit}", room(1))
        synthesize(task, replace(CONFIG, held_out_share=share))
    rows = [IndexRow(f"room0001_{visit}", "done", "x") for visit in ("00", "01")]
    with pytest.raises(ContractError, match="two splits"):
        summarize(Task("synthesize", {}, tmp_path / "out", tmp_path / "work", 3), CONFIG, rows)


def test_another_scan_changes_nothing_of_a_scan(tmp_path: Path) -> None:
    alone = scan_task(tmp_path / "alone", "room0001_00", room(1))
    synthesize(alone, CONFIG)
    for scan in ("room0000_00", "room0001_00", "room0001_01"):
        among = scan_task(tmp_path / "among", scan, room(1))
        synthesize(among, CONFIG)
    assert digest_tree(tmp_path / "among/out/room0001_00") == digest_tree(alone.out)
    assert digest_tree(tmp_path / "among/out/room0001_01") != digest_tree(alone.out)


def test_parameters_are_checked_before_any_scan_is_touched() -> None:
    adapter = TypeAdapter(SynthesizeConfig)
    config = adapter.validate_json('{"margins": {"axis_m": 0.3}, "questions": {"exist": 3}}', strict=True)
    assert config == SynthesizeConfig(margins=Margins(axis_m=0.3), questions={"exist": 3})
    with pytest.raises(ParameterError, match="exits"):
        adapter.validate_json('{"questions": {"exits": 3}}', strict=True)
    for bad in ('{"margins": {"axis_m": 0}}', '{"questions": {"exist": -1}}', '{"views_per_question": 0}'):
        with pytest.raises(ValueError, match="greater than or equal"):
            adapter.validate_json(bad, strict=True)


def test_every_situation_of_a_recorded_scan_can_be_asked_about(task: Task) -> None:
    recorded = read_recorded(task.inputs["extract"], task.inputs["recover"], 12.0)
    scene = read_scene(task.inputs["extract"])
    for situation in situations_of(recorded, scene, 99, 0, CONFIG):
        situated = Situated(scene, situation.T_aligned_ego, situation.seen)
        assert {p.object_id for p in situated.placed} <= situation.seen.views & scene.named


def test_an_empty_table_can_be_written_and_read(tmp_path: Path) -> None:
    write_questions(tmp_path, [])
    assert read_questions(tmp_path) == []
