import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.transforms import apply, compose, invert, is_rigid
from vantage.scans.conventions import (
    CAMERA_AXES,
    POSE_DIRECTIONS,
    UPS,
    CameraAxes,
    Convention,
    PoseDirection,
    level_rotation,
    rotation_to_z,
)

#: A point 2 m ahead, 0.3 m to the right, 0.4 m below a camera, in the axes of each convention.
SAME_POINT = {
    "opencv": (0.3, 0.4, 2.0),
    "opengl": (0.3, -0.4, -2.0),
    "left_up": (-0.3, -0.4, 2.0),
    "mirrored": (0.3, -0.4, 2.0),
}


def a_pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3))


@pytest.mark.parametrize("poses", POSE_DIRECTIONS)
@pytest.mark.parametrize("axes", CAMERA_AXES)
def test_one_point_is_the_same_in_every_convention(poses: PoseDirection, axes: CameraAxes) -> None:
    convention = Convention(poses=poses, camera_axes=axes)
    stored = a_pose(3)
    to_world = invert(stored) if poses == "world_to_camera" else stored
    expected = apply(to_world, np.array(SAME_POINT[axes]))
    if axes == "mirrored":
        expected = expected * (1, -1, 1)  # the right-handed world is the stored one in a mirror
    found = apply(convention.T_world_cam(stored), np.array(SAME_POINT["opencv"]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.sampled_from(POSE_DIRECTIONS), st.sampled_from(CAMERA_AXES))
def test_stored_is_the_inverse_and_poses_stay_rigid(
    seed: int, poses: PoseDirection, axes: CameraAxes
) -> None:
    convention = Convention(poses=poses, camera_axes=axes)
    T = a_pose(seed)
    assert is_rigid(convention.stored(T), 1e-9) and is_rigid(convention.T_world_cam(T), 1e-9)
    np.testing.assert_allclose(convention.T_world_cam(convention.stored(T)), T, atol=1e-12)


def test_a_lost_pose_stays_lost() -> None:
    lost = np.full((4, 4), -np.inf)
    for axes in CAMERA_AXES:
        assert np.array_equal(Convention("world_to_camera", axes).T_world_cam(lost), lost)


@pytest.mark.parametrize("up", UPS)
def test_up_becomes_z(up: str) -> None:
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1 if "-" in up else 1
    R = level_rotation(up)  # type: ignore[arg-type]
    np.testing.assert_allclose(R @ axis, (0, 0, 1), atol=1e-12)
    assert is_rigid(compose(R, np.zeros(3)), 1e-12)


@given(st.integers(0, 2**32 - 1))
def test_the_rotation_to_z_is_the_smallest(seed: int) -> None:
    d = np.random.default_rng(seed).normal(size=3)
    R = rotation_to_z(d)
    np.testing.assert_allclose(R @ d / np.linalg.norm(d), (0, 0, 1), atol=1e-9)
    angle = np.arccos(np.clip(d[2] / np.linalg.norm(d), -1, 1))
    assert np.linalg.norm(Rotation.from_matrix(R).as_rotvec()) == pytest.approx(angle, abs=1e-6)
