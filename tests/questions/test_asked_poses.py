"""Questions told their pose: whichever strategy chose it, the answer is where the aligned scene has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from question_rooms import random_scene, scan_task
from vantage.align.alignment import Pose
from vantage.align.config import AlignConfig
from vantage.align.prompt import split_pose
from vantage.align.sources import ego_of_question
from vantage.geometry.transforms import apply, invert
from vantage.questions.config import PoseConfig, SynthesizeConfig
from vantage.questions.recorded import read_recorded
from vantage.questions.stage import read_scene, synthesize
from vantage.records.questions import read_questions
from vantage.records.visibility import read_visibility, write_visibility

STRATEGIES = ("recorded_frame", "top", "clip", "random")


@dataclass(frozen=True)
class Directed:
    """A direction question: its text and answer, its pose, and where the object is (aligned, metres)."""

    question: str
    answer: str
    pose: Pose
    center: np.ndarray


def directions(folder: Path, source: str, room: int) -> list[Directed]:
    """The direction questions of a room from poses of a strategy; frames differ in what they see best."""
    task = scan_task(folder, f"room{room:04d}_00", random_scene(np.random.default_rng(room)))
    seen = read_visibility(task.inputs["recover"])
    scores = np.random.default_rng(room).uniform(0.1, 0.9, seen.scores.shape).astype(np.float32)
    write_visibility(task.inputs["recover"], replace(seen, scores=np.where(seen.visible_px > 12, scores, 0)))
    config = SynthesizeConfig(train_egos=8, heldout_egos=8, pose=PoseConfig(source))  # type: ignore[arg-type]
    synthesize(task, config)
    scene = read_scene(task.inputs["extract"])
    recorded = read_recorded(task.inputs["extract"], task.inputs["recover"], config.min_visible_px)
    cameras = dict(zip(recorded.frame_ids, recorded.T_aligned_cam, strict=True))
    asked = [q for q in read_questions(task.out) if q.family == "direction"]
    assert {q.pose_source for q in asked} <= {source}
    return [
        Directed(
            q.question,
            q.answer,
            Pose(ego_of_question(q, cameras[q.ego_frame_id]), q.question_id),
            np.array(scene.by_id[q.evidence["object_ids"][0]].center),
        )
        for q in asked
    ]


def quadrant(point: np.ndarray) -> str:
    return f"{'front' if point[0] > 0 else 'back'}-{'left' if point[1] > 0 else 'right'}"


@pytest.mark.parametrize("source", STRATEGIES)
def test_the_answer_of_a_direction_question_is_where_the_aligned_object_is(
    source: str, tmp_path: Path
) -> None:
    asked = [one for room in range(1, 9) for one in directions(tmp_path / str(room), source, room)]
    assert len(asked) > 8
    for one in asked:
        transform = one.pose.aligning(AlignConfig("transform"), "aligned", 0)
        assert quadrant(transform.points(one.center)) == one.answer
        for frame in ("ego_level", "ego_camera"):
            prompt = one.pose.aligning(AlignConfig("prompt", frame), "aligned", 0)  # type: ignore[arg-type]
            told, question = split_pose(prompt.question(one.question))
            assert question == one.question
            below = told.seen_as("ego_level").T_world_ego  # margins of questions exceed the prompt's rounding
            assert quadrant(apply(invert(below), prompt.points(one.center))) == one.answer
    plain = [one.pose.aligning(AlignConfig("none"), "aligned", 0).points(one.center) for one in asked]
    wrong = sum(quadrant(p) != one.answer for p, one in zip(plain, asked, strict=True))
    assert wrong > len(asked) / 2, "the axes of the world answer nothing"
    behind = [replace(one.pose, ego=one.pose.ego.turned(np.pi)) for one in asked]
    for pose, one in zip(behind, asked, strict=True):
        found = pose.aligning(AlignConfig("transform"), "aligned", 0).points(one.center)
        assert quadrant(-found) == one.answer
