"""Egos that are chosen for the objects asked about, and what their questions' records say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from question_rooms import CAMERA, look_from, random_scene, scan_task
from vantage.core.hashing import digest_tree
from vantage.core.tasks import Task
from vantage.questions.config import PoseConfig, SynthesizeConfig
from vantage.questions.egos import chosen_egos
from vantage.questions.recorded import Recorded, read_recorded
from vantage.questions.scene import Scene
from vantage.questions.stage import synthesize
from vantage.records.questions import Question, read_questions
from vantage.records.visibility import read_visibility, write_visibility

CONFIG = SynthesizeConfig(held_out_share=0.0)
STRATEGIES = ("top", "clip", "random")


def with_pose(source: str, **other: object) -> SynthesizeConfig:
    return replace(CONFIG, pose=PoseConfig(source, **other))  # type: ignore[arg-type]


def scored(scores: np.ndarray) -> Recorded:
    frames, objects = scores.shape
    poses = np.array([look_from(0.0, 0.0, 0.5 * i) for i in range(frames)]).reshape(-1, 4, 4)
    ids, names = tuple(range(3, 3 + objects)), tuple(range(0, 5 * frames, 5))
    return Recorded("scan", names, poses, ids, scores > 0, scores.astype(np.float32), (CAMERA,) * frames)


def room(seed: int) -> Scene:
    return random_scene(np.random.default_rng(seed))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """A scan whose scores differ from frame to frame, so that one frame sees each object best."""
    task = scan_task(tmp_path, "room0001_00", room(1))
    seen = read_visibility(task.inputs["recover"])
    scores = np.random.default_rng(2).uniform(0.1, 0.9, seen.scores.shape).astype(np.float32)
    scores = np.where(seen.visible_px > 12, scores, np.float32(0))
    write_visibility(task.inputs["recover"], replace(seen, scores=scores))
    return task


def asked(task: Task, config: SynthesizeConfig) -> list[Question]:
    synthesize(task, config)
    return read_questions(task.out)


def test_top_egos_see_their_object_best() -> None:
    recorded = scored(np.random.default_rng(0).random((20, 6)))
    egos = chosen_egos(recorded, recorded.object_ids, 6, 0, PoseConfig("top"))
    assert sorted(k for choices in egos.values() for k in choices) == [3, 4, 5, 6, 7, 8]
    for frame, choices in egos.items():
        for object_id, choice in choices.items():
            column = recorded.scores[:, recorded.object_ids.index(object_id)]
            assert frame == choice.frame_id == recorded.frame_ids[int(column.argmax())]
            assert choice.score == pytest.approx(float(column.max()))
            assert (choice.rank, choice.drawn_from, choice.object_id) == (0, 1, object_id)
            assert (choice.world, choice.uses_target) == ("aligned", True)


@pytest.mark.parametrize("meaning", ["paper", "released"])
def test_clip_egos_are_of_the_band_and_objects_take_turns(meaning: str) -> None:
    recorded = scored(np.arange(1, 21).reshape(-1, 1) / 20)
    pose = PoseConfig("clip", meaning)  # type: ignore[arg-type]
    egos = chosen_egos(recorded, [3], 200, 0, pose)
    # The scores rise with the frames, so the released program's positions are ranks, too.
    assert list(egos) == list(recorded.frame_ids[6:14])
    two = scored(np.random.default_rng(1).random((20, 2)))
    few = chosen_egos(two, [3, 4], 2, 0, pose)
    assert sorted(k for choices in few.values() for k in choices) == [3, 4]


def test_an_object_that_no_frame_sees_gets_a_random_pose_that_says_so() -> None:
    recorded = scored(np.array([[0.2, 0.0], [0.4, 0.0], [0.3, 0.0]]))
    for source in ("top", "clip"):
        drawn = set()
        for seed in range(40):
            egos = chosen_egos(recorded, [4, 99], 2, seed, PoseConfig(source))  # type: ignore[arg-type]
            choices = {k: choice for both in egos.values() for k, choice in both.items()}
            assert (choices[4].fallback, choices[99].fallback) == ("unseen", "unknown_object")
            assert choices[4].drawn_from == 3
            drawn.add(choices[4].frame_id)
        assert drawn == {0, 5, 10}
    assert chosen_egos(recorded, [], 6, 0, PoseConfig("top")) == {}
    with pytest.raises(ValueError, match="recorded frame"):
        chosen_egos(recorded, [3], 6, 0, PoseConfig())


@pytest.mark.parametrize("source", STRATEGIES)
def test_questions_are_about_the_object_that_the_pose_was_chosen_for(task: Task, source: str) -> None:
    config = with_pose(source)
    recorded = read_recorded(task.inputs["extract"], task.inputs["recover"], config.min_visible_px)
    targets = [o.object_id for o in room(1).objects]
    egos = chosen_egos(recorded, targets, config.train_egos, task.seed, config.pose)
    questions, visibility = asked(task, config), read_visibility(task.inputs["recover"])
    assert {q.ego_frame_id for q in questions} <= egos.keys()
    assert len(questions) > 30 and len({q.question_id for q in questions}) == len(questions)
    for q in questions:
        ids, chosen = q.evidence["object_ids"], egos[q.ego_frame_id]
        about = [k for k in ids if k in chosen]
        choice = chosen[about[0] if about else min(chosen)]
        assert about or (q.family, q.answer) == ("exist", "no")
        assert q.pose_uses_target == (source != "random" and bool(about))
        assert (q.pose_source, q.pose_meaning, q.pose_seed) == (source, "paper", task.seed)
        assert (q.pose_object_id, q.pose_score, q.pose_rank) == (choice.object_id, choice.score, choice.rank)
        assert (q.pose_drawn_from, q.pose_fallback) == (choice.drawn_from, choice.fallback)
        assert q.views[0] == q.ego_frame_id == choice.frame_id
        if source == "random":
            assert q.pose_object_id is q.pose_score is q.pose_rank is None
        else:
            row = visibility.frame_ids.tolist().index(q.ego_frame_id)
            column = visibility.scores[:, visibility.object_ids.tolist().index(q.pose_object_id)]
            assert q.pose_score == pytest.approx(float(column[row]))
            order = np.argsort(-column, kind="stable")
            assert q.pose_rank is None or order[q.pose_rank] == row


@pytest.mark.parametrize("source", STRATEGIES)
def test_chosen_poses_keep_the_balance_and_count_what_is_not_asked(task: Task, source: str) -> None:
    questions = asked(task, with_pose(source))
    for name in ("exist", "nearest", "size", "nearest_to"):
        answers = [q.answer for q in questions if q.family == name]
        assert answers.count("yes") == answers.count("no") > 0
    dropped = json.loads((task.out / "dropped.json").read_text())
    assert dropped["nearest"]["about none of the objects that the pose was chosen for"] > 0


def test_an_unseen_object_is_not_asked_about_but_its_pose_serves_others(task: Task) -> None:
    seen = read_visibility(task.inputs["recover"])
    hidden = int(seen.object_ids[0])
    scores, pixels = seen.scores.copy(), seen.visible_px.copy()
    scores[:, 0] = pixels[:, 0] = 0
    write_visibility(task.inputs["recover"], replace(seen, scores=scores, visible_px=pixels))
    questions = asked(task, with_pose("top"))
    assert all(hidden not in q.evidence["object_ids"] for q in questions)
    fell_back = [q for q in questions if q.pose_fallback]
    assert {q.pose_fallback for q in fell_back} <= {"unseen"}
    assert all(q.answer == "no" and not q.pose_uses_target for q in fell_back)


def test_frames_of_the_path_are_chosen_for_nothing(task: Task) -> None:
    for q in asked(task, CONFIG):
        assert (q.pose_source, q.pose_meaning, q.pose_fallback) == ("recorded_frame", "", "")
        assert q.pose_object_id is q.pose_score is q.pose_rank is q.pose_drawn_from is q.pose_seed is None


@pytest.mark.parametrize("source", STRATEGIES)
def test_the_same_bytes_again_whatever_other_scans_there_are(tmp_path: Path, source: str) -> None:
    digests = []
    for name, scans in (("alone", ["a_00"]), ("among", ["b_00", "a_00"]), ("other seed", ["a_00"])):
        for scan in scans:
            seed = 9 if name == "other seed" else 3
            task = scan_task(tmp_path / name, scan, room(1), seed=seed)
            synthesize(task, with_pose(source))
        digests.append(digest_tree(task.out))
    assert digests[0] == digests[1] != digests[2]


def test_a_scan_without_objects_has_no_question(tmp_path: Path) -> None:
    assert asked(scan_task(tmp_path, "empty_00", Scene([])), with_pose("top")) == []


def test_parameters() -> None:
    adapter = TypeAdapter(SynthesizeConfig)
    config = adapter.validate_json('{"pose": {"source": "clip", "cut": 0.2}, "must_see": true}', strict=True)
    assert config == SynthesizeConfig(pose=PoseConfig("clip", "paper", 0.2), must_see=True)
    for bad in ('{"pose": {"source": "best"}}', '{"pose": {"cut": 0.5}}', '{"pose": {"meaning": "mine"}}'):
        with pytest.raises(ValueError, match="pose"):
            adapter.validate_json(bad, strict=True)
