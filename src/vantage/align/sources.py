"""The ego pose of a question, whoever chose it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vantage.align.ego import EgoPose, ego_of_camera
from vantage.core.errors import ContractError
from vantage.records.questions import Question
from vantage.recover.choice import PoseChoice

_SAME = 1e-6


def ego_of_question(question: Question, T_aligned_cam: Float[np.ndarray, "4 4"] | None = None) -> EgoPose:
    """The pose that a question is asked from, in the aligned world.

    Args:
        question: its own pose is `ego_level`, whatever strategy chose it (`pose_source`).
        T_aligned_cam: the camera of its ego frame (`ego_frame_id`). With it the pose is `ego_camera`, which
            `ego_level` follows from; without it there is the `ego_level` pose alone.

    Raises:
        ContractError: the camera is not the one that the question is asked from.
    """
    level = EgoPose(question.T_aligned_ego, "aligned", question.ego_frame)
    if T_aligned_cam is None:
        return level
    ego = ego_of_camera(T_aligned_cam, "aligned", "ego_camera")
    below = ego.seen_as(level.frame).T_world_ego
    if np.abs(below - level.T_world_ego).max() > _SAME:
        raise ContractError(
            "a question and the camera of its ego frame tell of different poses",
            where=f"question {question.question_id}, frame {question.ego_frame_id}",
            expected=level.T_world_ego.round(4).tolist(), found=below.round(4).tolist(),
            hint="run synthesize again; the poses of extract have changed since",
        )  # fmt: skip
    return ego


def ego_of_choice(choice: PoseChoice) -> EgoPose:
    """The pose of a choice or of an annotation, in its own world; `ContractError` when it has none."""
    if choice.T_world_pose is None:
        raise ContractError(
            "no pose was chosen", where=f"pose by {choice.source}", expected="a pose",
            found=choice.fallback or "none", hint="set the question aside, or align it by mode none",
        )  # fmt: skip
    if choice.pose == "camera":
        return ego_of_camera(choice.T_world_pose, choice.world, "ego_camera")
    return EgoPose(choice.T_world_pose, choice.world, choice.pose)
