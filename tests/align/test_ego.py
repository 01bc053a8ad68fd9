import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.align.ego import EgoPose, ego_of_camera, random_yaw
from vantage.core.errors import ContractError
from vantage.core.frames import Frame
from vantage.geometry.transforms import R_FLU_RDF, compose, wrap

angles = st.floats(-math.pi, math.pi)
cameras = st.builds(
    lambda yaw, pitch, roll: compose(
        Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix() @ R_FLU_RDF, np.array([1.0, 2.0, 1.5])
    ),
    angles,
    st.floats(-1.0, 1.0),
    st.floats(-0.3, 0.3),
)
frames = st.sampled_from(["ego_level", "ego_camera"])


@given(cameras, frames)
def test_there_and_back(T_world_cam: np.ndarray, frame: Frame) -> None:
    ego = ego_of_camera(T_world_cam, "aligned", frame)
    p = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(ego.to_world(ego.to_ego(p, "aligned"), frame), p, atol=1e-9)


@given(cameras)
def test_what_is_ahead_has_positive_x_and_the_floor_is_at_zero(T_world_cam: np.ndarray) -> None:
    ahead = T_world_cam[:3, 3] + 2 * T_world_cam[:3, 2]
    np.testing.assert_allclose(
        ego_of_camera(T_world_cam, "raw", "ego_camera").to_ego(ahead, "raw"), [2.0, 0.0, 0.0], atol=1e-9
    )
    level = ego_of_camera(T_world_cam, "aligned", "ego_level").to_ego(ahead, "aligned")
    assert level[0] > 0
    np.testing.assert_allclose(level[1:], [0.0, ahead[2]], atol=1e-9)


@given(cameras, frames, angles)
def test_turning_moves_no_feet_and_turns_by_the_angle(
    T_world_cam: np.ndarray, frame: Frame, yaw: float
) -> None:
    ego = ego_of_camera(T_world_cam, "aligned", frame)
    turned = ego.turned(yaw)
    np.testing.assert_array_equal(turned.T_world_ego[:3, 3], ego.T_world_ego[:3, 3])
    assert abs(wrap(turned.yaw - ego.yaw - yaw)) < 1e-9
    np.testing.assert_allclose(turned.T_world_ego[2], ego.T_world_ego[2], atol=1e-12)  # pitch and height kept


def test_turning_left_moves_things_to_the_right() -> None:
    ego = ego_of_camera(compose(R_FLU_RDF, np.zeros(3)), "aligned", "ego_level")
    ahead = np.array([[1.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        ego.turned(math.pi / 2).to_ego(ahead, "aligned"), [[0.0, -1.0, 0.0]], atol=1e-12
    )


def test_mixing_frames_is_an_error_that_names_both() -> None:
    ego = ego_of_camera(np.eye(4), "raw", "ego_camera")
    p = np.zeros((1, 3))
    with pytest.raises(ContractError, match=r"(?s)patches\.npz.*raw.*aligned"):
        ego.to_ego(p, "aligned", "patches.npz")
    with pytest.raises(ContractError, match="wrong frame"):
        ego.to_world(p, "ego_level")
    with pytest.raises(ContractError, match="wrong frame"):
        ego_of_camera(np.eye(4), "raw", "ego_level")
    with pytest.raises(ContractError, match="do not exist"):
        EgoPose(np.eye(4), "camera", "ego_level")


def test_a_lost_pose_is_refused() -> None:
    with pytest.raises(ContractError, match="not a rigid"):
        ego_of_camera(np.full((4, 4), -np.inf), "aligned", "ego_level")


def test_random_yaw_depends_on_seed_and_keys_only_and_fills_the_circle() -> None:
    assert random_yaw(1, "room0000_00", 3) == random_yaw(1, "room0000_00", 3)
    yaws = np.array([random_yaw(1, "room0000_00", i) for i in range(400)])
    assert len(np.unique(yaws)) == 400
    counts, _ = np.histogram(yaws, bins=4, range=(-math.pi, math.pi))
    assert counts.sum() == 400
    assert counts.min() > 70
