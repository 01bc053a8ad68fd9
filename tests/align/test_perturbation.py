import math

import numpy as np
import pytest
from ego_poses import a_camera, an_alignment, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.align.ego import EgoPose, ego_of_camera
from vantage.align.perturbation import Perturbation, Shift, perturbed
from vantage.align.transform import ego_in_world
from vantage.core.errors import ParameterError
from vantage.core.frames import Frame
from vantage.geometry.transforms import wrap

N = 2000
#: Six standard errors: a right mean fails once in 10^8 runs, and the published bias is seven times as much.
MEAN, STD = 6 / math.sqrt(N), 6 / math.sqrt(2 * N)

spreads = st.floats(0.01, 0.5)


def shifts_seen(ego: EgoPose, perturbation: Perturbation, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (m, in the ego's axes) and yaw, pitch, roll (degrees) of many poses, measured on the poses."""
    poses = [perturbed(ego, perturbation, seed, "q", i) for i in range(N)]
    R = ego.T_world_ego[:3, :3]
    offsets = np.array([(pose.T_world_ego[:3, 3] - ego.T_world_ego[:3, 3]) @ R for pose in poses])
    turns = np.array([_angles(pose.T_world_ego[:3, :3]) for pose in poses]) - _angles(R)
    return offsets, np.degrees(np.vectorize(wrap)(turns))


def _angles(R: np.ndarray) -> np.ndarray:
    return np.array([math.atan2(R[1, 0], R[0, 0]), math.asin(-R[2, 0]), math.atan2(R[2, 1], R[2, 2])])


@given(seeds, spreads, st.floats(1.0, 40.0), st.floats(0.2, 5.0), st.floats(-1, 1), st.floats(-20, 20))
@settings(max_examples=3)
def test_mean_and_spread_are_those_asked_for(
    seed: int, position: float, yaw: float, tilt: float, mean: float, yaw_mean: float
) -> None:
    upright = ego_of_camera(a_camera(seed), "aligned", "ego_level").T_world_ego
    ego = EgoPose(upright, "aligned", "ego_camera")  # its Euler angles are the drawn ones
    asked = Perturbation(position, yaw, tilt, (mean, -mean, 2 * mean), yaw_mean)
    offsets, turns = shifts_seen(ego, asked, seed)
    assert (np.abs(offsets.mean(axis=0) - [mean, -mean, 2 * mean]) < MEAN * position).all()
    assert (np.abs(offsets.std(axis=0) / position - 1) < STD).all()
    assert (np.abs(turns.mean(axis=0) - [yaw_mean, 0, 0]) < MEAN * np.array([yaw, tilt, tilt])).all()
    assert (np.abs(turns.std(axis=0) / [yaw, tilt, tilt] - 1) < STD).all()
    together = np.corrcoef(np.concatenate([offsets, turns], axis=1).T) - np.eye(6)
    assert np.abs(together).max() < MEAN


@given(seeds, spreads, st.floats(1.0, 40.0))
@settings(max_examples=2)
def test_a_level_pose_moves_over_the_floor(seed: int, position: float, yaw: float) -> None:
    ego = ego_of_camera(a_camera(seed), "aligned", "ego_level")
    offsets, turns = shifts_seen(ego, Perturbation(position, yaw), seed)
    assert not offsets[:, 2].any()
    assert (np.abs(offsets[:, :2].mean(axis=0)) < MEAN * position).all()
    assert (np.abs(offsets[:, :2].std(axis=0) / position - 1) < STD).all()
    assert abs(turns[:, 0].std() / yaw - 1) < STD
    assert np.abs(turns[:, 1:]).max() < 1e-9


@given(seeds, st.sampled_from(["ego_level", "ego_camera"]), st.booleans())
def test_a_shift_is_undone(seed: int, frame: Frame, in_raw: bool) -> None:
    ego = ego_of_camera(a_camera(seed), "aligned", frame)
    if in_raw:
        ego = ego_in_world(ego, "raw", an_alignment(seed))
    tilt = 3.0 if frame == "ego_camera" else 0.0
    shift = Perturbation(0.4, 30.0, tilt, (0.2, 0.1, 0.0), 5.0).draw(frame, np.random.default_rng(seed))
    there = shift.applied(ego)
    assert np.abs(there.T_world_ego - ego.T_world_ego).max() > 1e-3
    np.testing.assert_allclose(shift.undone(there).T_world_ego, ego.T_world_ego, atol=1e-9)
    np.testing.assert_allclose(shift.applied(shift.undone(ego)).T_world_ego, ego.T_world_ego, atol=1e-9)


@given(seeds)
def test_yaw_alone_keeps_place_pitch_and_roll_in_the_world(seed: int) -> None:
    ego = ego_of_camera(a_camera(seed), "aligned", "ego_camera")
    turned = Shift(np.zeros(3), 0.7).applied(ego)
    np.testing.assert_array_equal(turned.T_world_ego[:3, 3], ego.T_world_ego[:3, 3])
    np.testing.assert_allclose(turned.T_world_ego[2, :3], ego.T_world_ego[2, :3], atol=1e-12)


def test_the_seed_and_the_keys_decide_and_nothing_else() -> None:
    ego, asked = ego_of_camera(a_camera(0), "aligned", "ego_camera"), Perturbation(0.1, 10.0)
    one, same = perturbed(ego, asked, 1, "a", 2), perturbed(ego, asked, 1, "a", 2)
    np.testing.assert_array_equal(one.T_world_ego, same.T_world_ego)
    for other in (perturbed(ego, asked, 2, "a", 2), perturbed(ego, asked, 1, "a", 3)):
        assert np.abs(one.T_world_ego - other.T_world_ego).max() > 1e-6
    np.testing.assert_allclose(perturbed(ego, Perturbation(), 1).T_world_ego, ego.T_world_ego, atol=1e-12)


def test_what_cannot_be_drawn_is_refused() -> None:
    for key, wrong in (
        ("position_std_m", -0.1),
        ("yaw_std_deg", math.nan),
        ("position_mean_m", (0.0, math.inf, 0.0)),
        ("yaw_mean_deg", math.inf),
    ):
        with pytest.raises(ParameterError, match="nothing can be drawn") as caught:
            Perturbation(**{key: wrong})
        assert caught.value.where == key
    for key, tilted in (("tilt_std_deg", 1.0), ("position_mean_m", (0.0, 0.0, 0.1))):
        with pytest.raises(ParameterError, match="no pitch, roll or height") as caught:
            Perturbation(**{key: tilted}).draw("ego_level", np.random.default_rng(0))
        assert caught.value.where == key
    assert Perturbation(yaw_mean_deg=-5.0, position_mean_m=(-1.0, 0.0, 0.0)).yaw_mean_deg == -5.0
