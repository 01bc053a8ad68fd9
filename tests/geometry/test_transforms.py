import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry import transforms as tf

angles = st.floats(-math.pi, math.pi)
metres = st.floats(-10, 10)
rigid = st.builds(
    lambda turn, t: tf.compose(Rotation.from_euler("zyx", turn).as_matrix(), np.array(t)),
    st.tuples(angles, angles, angles),
    st.tuples(metres, metres, metres),
)


@given(rigid)
def test_the_inverse_is_numpys(T: np.ndarray) -> None:
    assert tf.is_rigid(T)
    np.testing.assert_allclose(tf.invert(T), np.linalg.inv(T), atol=1e-9)


@given(rigid, rigid, st.tuples(metres, metres, metres).map(np.array))
def test_applying_twice_is_applying_the_product(A: np.ndarray, B: np.ndarray, p: np.ndarray) -> None:
    np.testing.assert_allclose(tf.apply(A, tf.apply(B, p)), tf.apply(A @ B, p), atol=1e-9)
    np.testing.assert_allclose(tf.apply(A, p), (A @ np.append(p, 1.0))[:3], atol=1e-9)


def test_float32_points_are_computed_in_float64() -> None:
    assert tf.apply(np.eye(4), np.ones((2, 3), dtype=np.float32)).dtype == np.float64


def test_what_is_not_rigid() -> None:
    lost = np.full((4, 4), -np.inf)
    mirrored = np.diag([1.0, -1.0, 1.0, 1.0])
    scaled = np.diag([1.01, 1.01, 1.01, 1.0])
    projective = np.eye(4)
    projective[3, 0] = 0.1
    assert not any(tf.is_rigid(T) for T in (lost, mirrored, scaled, projective, np.eye(3)))
    assert tf.is_rigid(np.diag([1.0004, 1.0, 1.0, 1.0]))
    stretched = np.diag([1.00045, 1.00045, 1.00045, 1.0])  # axes within 1e-3, determinant 1.00135
    assert not tf.is_rigid(stretched)


@given(angles)
def test_yaw_round_trip(yaw: float) -> None:
    assert abs(tf.wrap(tf.yaw_of(tf.from_yaw(yaw)) - yaw)) < 1e-9
    assert -math.pi <= tf.wrap(3 * yaw) < math.pi


def looking(yaw: float, pitch_down: float, roll: float, at: tuple[float, float, float]) -> np.ndarray:
    """T_world_cam of a camera facing +x, rolled about its axis, pitched down, then turned by yaw."""
    ego = Rotation.from_euler("ZYX", [yaw, pitch_down, roll]).as_matrix()
    return tf.compose(ego @ tf.R_FLU_RDF, np.array(at))


@given(angles, st.floats(-1.4, 1.4), st.floats(-0.5, 0.5))
def test_the_level_ego_keeps_yaw_and_stands_on_the_floor(yaw: float, pitch: float, roll: float) -> None:
    T_world_ego = tf.level_ego(looking(yaw, pitch, roll, (1.0, 2.0, 1.5)))
    np.testing.assert_allclose(T_world_ego, tf.from_yaw(yaw, (1.0, 2.0, 0.0)), atol=1e-9)


def test_straight_down_and_up_the_level_ego_follows_the_image() -> None:
    for pitch in (math.pi / 2, -math.pi / 2):
        T_world_ego = tf.level_ego(looking(0.7, pitch, 0.0, (1.0, 2.0, 1.5)))
        np.testing.assert_allclose(T_world_ego, tf.from_yaw(0.7, (1.0, 2.0, 0.0)), atol=1e-9)


def test_ego_axes() -> None:
    T_world_cam = looking(math.pi / 2, 0.3, 0.0, (0.0, 0.0, 1.5))  # faces +y
    T_level_world = tf.invert(tf.level_ego(T_world_cam))
    np.testing.assert_allclose(
        tf.apply(T_level_world, np.array([-1.0, 2.0, 0.5])), [2.0, 1.0, 0.5], atol=1e-9
    )
    # PoseAlign: (forward, left, up) = (z_c, -x_c, -y_c), pitch kept.
    p_world = np.array([[0.3, 2.0, 1.0]])
    p_cam = tf.apply(tf.invert(T_world_cam), p_world)[0]
    p_ego = tf.apply(tf.invert(tf.camera_ego(T_world_cam)), p_world)[0]
    np.testing.assert_allclose(p_ego, [p_cam[2], -p_cam[0], -p_cam[1]], atol=1e-9)
