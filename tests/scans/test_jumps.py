import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.transforms import compose
from vantage.scans.config import ExtractConfig
from vantage.scans.frames import jumps
from vantage.scans.quality import jump_problem, motion
from vantage.scans.raw import RawFrame


@given(st.integers(0, 2**32 - 1), st.floats(0, math.pi))
def test_motion_against_scipy(seed: int, angle: float) -> None:
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle)
    start = Rotation.random(random_state=rng)
    a = compose(start.as_matrix(), rng.normal(size=3))
    b = compose((start * turn).as_matrix(), a[:3, 3] + (0.3, 0.0, -0.4))
    metres, radians = motion(a, b)
    assert metres == pytest.approx(0.5)
    assert radians == pytest.approx(angle, abs=1e-7)


def test_a_jump_is_measured_over_lost_poses() -> None:
    lost = np.full((4, 4), -np.inf)
    poses = [
        lost,
        np.eye(4),
        lost,
        compose(np.eye(3), np.array([0.0, 2.0, 0.0])),
        compose(np.eye(3), np.ones(3)),
    ]
    found = jumps([RawFrame(k, T_raw_cam=T) for k, T in enumerate(poses)])
    assert [metres for metres, _ in found] == pytest.approx([0, 0, 0, 2, math.sqrt(3)])
    assert all(radians == 0 for _, radians in found)


def test_a_jump_is_a_reason_only_when_bounded() -> None:
    assert jump_problem((9.0, 3.0), ExtractConfig()) == ""
    assert "1.50 m" in jump_problem((1.5, 0.0), ExtractConfig(max_jump_m=1.0))
    assert "57 deg" in jump_problem((0.0, 1.0), ExtractConfig(max_jump_deg=45.0))
    assert jump_problem((0.9, 0.7), ExtractConfig(max_jump_m=1.0, max_jump_deg=45.0)) == ""
