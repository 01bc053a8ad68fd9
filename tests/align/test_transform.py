import math
from collections.abc import Callable

import numpy as np
import pytest
from ego_poses import a_camera, an_alignment, angles, seeds, some_points
from hypothesis import given
from hypothesis import strategies as st

from vantage.align.ego import EgoPose, ego_of_camera
from vantage.align.transform import (
    boxes_in_ego,
    boxes_in_world,
    ego_in_world,
    ego_of_recorded,
    points_in_ego,
    points_in_world,
)
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.transforms import apply, compose, from_yaw, invert
from vantage.scans.conventions import CAMERA_AXES, POSE_DIRECTIONS, CameraAxes, Convention, PoseDirection

frames = st.sampled_from(["ego_level", "ego_camera"])


@given(seeds)
def test_the_published_transform_is_the_raw_camera_pose(seed: int) -> None:
    T_raw_cam, p_raw = a_camera(seed), some_points(seed)
    p_cam = (np.linalg.inv(T_raw_cam) @ np.c_[p_raw, np.ones(len(p_raw))].T).T
    ego = ego_of_camera(T_raw_cam, "raw", "ego_camera")
    expected = np.stack([p_cam[:, 2], -p_cam[:, 0], -p_cam[:, 1]], axis=1)
    np.testing.assert_allclose(points_in_ego(p_raw, "raw", ego), expected, atol=1e-9)


@given(seeds)
def test_composing_with_the_alignment_equals_doing_it_directly(seed: int) -> None:
    T_raw_cam, T_aligned_raw, p_raw = a_camera(seed), an_alignment(seed), some_points(seed)
    raw = ego_of_camera(T_raw_cam, "raw", "ego_camera")
    direct = points_in_ego(p_raw, "raw", raw)
    p_aligned = apply(T_aligned_raw, p_raw)
    np.testing.assert_allclose(points_in_ego(p_aligned, "aligned", raw, T_aligned_raw), direct, atol=1e-9)
    aligned = ego_of_camera(T_aligned_raw @ T_raw_cam, "aligned", "ego_camera")
    np.testing.assert_allclose(points_in_ego(p_aligned, "aligned", aligned), direct, atol=1e-9)
    np.testing.assert_allclose(points_in_ego(p_raw, "raw", aligned, T_aligned_raw), direct, atol=1e-9)


@given(seeds, frames, st.sampled_from(["raw", "aligned"]))
def test_there_and_back_through_either_world(seed: int, frame: Frame, world: Frame) -> None:
    T_aligned_raw, p = an_alignment(seed), some_points(seed)
    ego = ego_of_recorded(a_camera(seed), Convention(), frame, T_aligned_raw)
    there = points_in_ego(p, world, ego, T_aligned_raw)
    np.testing.assert_allclose(points_in_world(there, ego, world, T_aligned_raw), p, atol=1e-9)
    again = ego_in_world(ego_in_world(ego, world, T_aligned_raw), "aligned", T_aligned_raw)
    np.testing.assert_allclose(again.T_world_ego, ego.T_world_ego, atol=1e-9)
    assert (again.world, again.frame) == ("aligned", frame)


def test_two_worlds_are_refused_with_what_to_do() -> None:
    raw, p = ego_of_camera(a_camera(0), "raw", "ego_camera"), some_points(0)
    boxes = OrientedBoxes.upright(p, np.ones_like(p))
    calls: list[Callable[[], object]] = [
        lambda: points_in_ego(p, "aligned", raw),
        lambda: points_in_world(p, raw, "aligned"),
        lambda: boxes_in_ego(boxes, "aligned", raw),
        lambda: boxes_in_world(boxes, raw, "aligned"),
    ]
    for call in calls:
        with pytest.raises(ContractError, match=r"(?s)two worlds.*raw.*aligned.*axisAlignment"):
            call()
    with pytest.raises(ContractError, match="two worlds"):
        points_in_ego(p, "camera", raw, an_alignment(0))
    with pytest.raises(ContractError, match=r"(?s)alignment is not a rigid.*T_aligned_raw"):
        points_in_ego(p, "aligned", raw, np.diag([2.0, 2.0, 2.0, 1.0]))


@given(seeds, frames, angles, st.floats(-5, 5), st.floats(-5, 5))
def test_turning_and_shifting_scene_and_camera_together_changes_nothing(
    seed: int, frame: Frame, yaw: float, x: float, y: float
) -> None:
    T, move, p = a_camera(seed), from_yaw(yaw, (x, y, 0.0)), some_points(seed)
    before = points_in_ego(p, "aligned", ego_of_camera(T, "aligned", frame))
    after = points_in_ego(apply(move, p), "aligned", ego_of_camera(move @ T, "aligned", frame))
    np.testing.assert_allclose(after, before, atol=1e-8)


@given(seeds, frames)
def test_in_a_mirrored_scene_left_and_right_change_places_and_nothing_else(seed: int, frame: Frame) -> None:
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    T, p = a_camera(seed), some_points(seed)
    mirrored_camera = mirror @ T @ np.diag([-1.0, 1.0, 1.0, 1.0])  # its x axis stays to the right
    before = points_in_ego(p, "aligned", ego_of_camera(T, "aligned", frame))
    after = points_in_ego(apply(mirror, p), "aligned", ego_of_camera(mirrored_camera, "aligned", frame))
    np.testing.assert_allclose(after, before * [1.0, -1.0, 1.0], atol=1e-8)


@given(seeds)
def test_the_level_frame_keeps_heights_and_forgets_pitch_and_roll(seed: int) -> None:
    T, p = a_camera(seed), some_points(seed)
    level = points_in_ego(p, "aligned", ego_of_camera(T, "aligned", "ego_level"))
    np.testing.assert_allclose(level[:, 2], p[:, 2], atol=1e-12)
    np.testing.assert_allclose(
        np.hypot(level[:, 0], level[:, 1]), np.hypot(*(p[:, :2] - T[:2, 3]).T), atol=1e-9
    )
    forward = T[:3, 2]
    upright = compose(
        np.stack(
            [[forward[1], -forward[0], 0.0], [0.0, 0.0, -np.hypot(*forward[:2])], [*forward[:2], 0.0]], 1
        )
        / np.hypot(*forward[:2]),
        T[:3, 3],
    )
    same = points_in_ego(p, "aligned", ego_of_camera(upright, "aligned", "ego_level"))
    np.testing.assert_allclose(same, level, atol=1e-9)


@pytest.mark.parametrize("poses", POSE_DIRECTIONS)
@pytest.mark.parametrize("axes", CAMERA_AXES)
def test_a_pose_stored_in_any_convention_is_the_same_ego(poses: PoseDirection, axes: CameraAxes) -> None:
    convention, T = Convention(poses=poses, camera_axes=axes), a_camera(5)
    for frame, alignment in (("ego_camera", None), ("ego_level", an_alignment(5))):
        ego = ego_of_recorded(convention.stored(T), convention, frame, alignment)
        expected = ego_of_recorded(T, Convention(), frame, alignment)
        np.testing.assert_allclose(ego.T_world_ego, expected.T_world_ego, atol=1e-9)
        assert ego.world == ("raw" if alignment is None else "aligned")
    with pytest.raises(ContractError, match="wrong frame"):
        ego_of_recorded(convention.stored(T), convention, "ego_level")
    with pytest.raises(ContractError, match="not a rigid"):
        ego_of_recorded(np.full((4, 4), np.nan), convention, "ego_camera")


@given(seeds, frames)
def test_boxes_turn_with_the_ego_and_come_back(seed: int, frame: Frame) -> None:
    T_aligned_raw = an_alignment(seed)
    ego = ego_of_recorded(a_camera(seed), Convention(), frame, T_aligned_raw)
    p = some_points(seed, 4)
    boxes = OrientedBoxes.upright(p, np.abs(p) + 0.1)
    there = boxes_in_ego(boxes, "raw", ego, T_aligned_raw)
    for i in range(len(p)):
        np.testing.assert_allclose(
            there[i].corners(), points_in_ego(boxes[i].corners(), "raw", ego, T_aligned_raw), atol=1e-9
        )
    back = boxes_in_world(there, ego, "raw", T_aligned_raw)
    np.testing.assert_allclose(back.center, boxes.center, atol=1e-9)
    np.testing.assert_allclose(back.rotation, boxes.rotation, atol=1e-9)


def test_a_level_pose_is_level_and_on_the_floor() -> None:
    with pytest.raises(ContractError, match=r"(?s)no pitch, roll or height.*0\.300000"):
        EgoPose(from_yaw(0.3, (1.0, 2.0, 0.3)), "aligned", "ego_level")
    pitched = np.eye(4)
    pitched[:3, :3] = [[math.cos(0.1), 0, math.sin(0.1)], [0, 1, 0], [-math.sin(0.1), 0, math.cos(0.1)]]
    with pytest.raises(ContractError, match="no pitch"):
        EgoPose(pitched, "aligned", "ego_level")
    EgoPose(pitched, "raw", "ego_level")  # raw z need not be up


@given(seeds)
def test_the_camera_of_an_ego_camera_pose_is_had_back(seed: int) -> None:
    T = a_camera(seed)
    np.testing.assert_allclose(ego_of_camera(T, "raw", "ego_camera").T_world_cam, T, atol=1e-12)
    with pytest.raises(ContractError, match="wrong frame"):
        _ = ego_of_camera(T, "aligned", "ego_level").T_world_cam


@given(seeds, angles)
def test_turning_commutes_with_changing_the_world(seed: int, yaw: float) -> None:
    tilted = invert(compose(a_camera(seed)[:3, :3], np.array([1.0, 2.0, 3.0])))  # a raw world without an up
    ego = ego_of_camera(a_camera(seed + 1), "aligned", "ego_level")
    in_raw = ego_in_world(ego, "raw", tilted)
    np.testing.assert_allclose(
        in_raw.turned(yaw).T_world_ego, ego_in_world(ego.turned(yaw), "raw", tilted).T_world_ego, atol=1e-9
    )
    assert np.isclose(invert(in_raw.T_world_ego)[3, 3], 1.0)
