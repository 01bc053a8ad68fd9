"""Ego poses out of records: a question's own, its camera's, and those of choices and annotations."""

from dataclasses import replace

import numpy as np
import pytest
from ego_poses import a_camera, seeds
from hypothesis import given

from vantage.align.sources import ego_of_choice, ego_of_question
from vantage.core.errors import ContractError
from vantage.geometry.transforms import camera_ego, from_yaw, level_ego
from vantage.records.questions import Question
from vantage.recover.choice import PoseChoice


def asked_from(T_aligned_cam: np.ndarray) -> Question:
    return Question(
        question_id="scan-000007-direction-x", scan_id="scan", room_id="scan", split="train",
        family="direction", slice="", question="where is it?", answer="front-left", reasoning="", evidence={},
        ego_frame_id=7, pose_source="clip", pose_uses_target=True, T_aligned_ego=level_ego(T_aligned_cam),
        views=[7], learnable_by_pocket=True,
    )  # fmt: skip


@given(seeds)
def test_a_question_is_asked_from_its_level_pose_or_from_its_camera(seed: int) -> None:
    T = a_camera(seed)
    question = asked_from(T)
    level, camera = ego_of_question(question), ego_of_question(question, T)
    assert (level.world, level.frame) == ("aligned", "ego_level")
    assert (camera.world, camera.frame) == ("aligned", "ego_camera")
    np.testing.assert_array_equal(level.T_world_ego, level_ego(T))
    np.testing.assert_array_equal(camera.T_world_ego, camera_ego(T))
    np.testing.assert_array_equal(camera.seen_as("ego_level").T_world_ego, level.T_world_ego)
    assert camera.seen_as("ego_camera") is camera
    with pytest.raises(ContractError, match="wrong frame"):
        level.seen_as("ego_camera")


def test_a_camera_that_the_question_is_not_asked_from_is_refused() -> None:
    T = a_camera(1)
    for other in (a_camera(2), from_yaw(0.01) @ T, np.diag([1.0, -1.0, 1.0, 1.0]) @ T):
        with pytest.raises(ContractError, match=r"different poses|not a rigid") as caught:
            ego_of_question(asked_from(T), other)
        if caught.value.where:
            assert caught.value.where == "question scan-000007-direction-x, frame 7"


@given(seeds)
def test_a_choice_has_its_pose_in_its_own_world(seed: int) -> None:
    T = a_camera(seed)
    for world in ("raw", "aligned"):
        ego = ego_of_choice(PoseChoice("top", "paper", T, world, "camera"))  # type: ignore[arg-type]
        assert (ego.world, ego.frame) == (world, "ego_camera")
        np.testing.assert_allclose(ego.T_world_cam, T, atol=1e-12)
    situation = PoseChoice("situation", None, level_ego(T), "aligned", "ego_level")
    np.testing.assert_array_equal(ego_of_choice(situation).T_world_ego, level_ego(T))
    nothing = replace(situation, source="clip", T_world_pose=None, fallback="no_poses")
    with pytest.raises(ContractError, match="no pose was chosen") as caught:
        ego_of_choice(nothing)
    assert (caught.value.where, caught.value.found) == ("pose by clip", "no_poses")
