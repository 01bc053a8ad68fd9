"""Poses and scenes that the tests of `align` share."""

import math

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.transforms import R_FLU_RDF, compose, from_yaw

seeds = st.integers(0, 2**32 - 1)
angles = st.floats(-math.pi, math.pi)


def a_camera(seed: int) -> np.ndarray:
    """T_world_cam of a camera somewhere in a room, pitched up to 60 and rolled up to 20 degrees."""
    rng = np.random.default_rng(seed)
    turn = rng.uniform([-math.pi, -1.0, -0.35], [math.pi, 1.0, 0.35])
    R = Rotation.from_euler("ZYX", turn).as_matrix() @ R_FLU_RDF
    return compose(R, rng.uniform([-4, -3, 0.3], [4, 3, 2.2]))


def an_alignment(seed: int) -> np.ndarray:
    """T_aligned_raw as ScanNet has it: a turn about z and a shift."""
    rng = np.random.default_rng(seed + 1)
    return from_yaw(rng.uniform(-math.pi, math.pi), rng.uniform(-5, 5, 3))


def some_points(seed: int, n: int = 20) -> np.ndarray:
    return np.random.default_rng(seed + 2).uniform([-5, -4, 0], [5, 4, 2.5], (n, 3))
