"""What the folders hold, by each data set's own statement and by plain tools: the readers' common oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from vantage.scans.layouts.base import Recording


def from_quaternion(row: np.ndarray) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_quat(row[4:]).as_matrix(), row[1:4]
    return T


def from_vector(row: np.ndarray) -> np.ndarray:
    """Of the world in the camera."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = Rotation.from_rotvec(row[1:4]).as_matrix(), row[4:]
    return np.linalg.inv(T)


def from_log(path: Path) -> np.ndarray:
    return np.array([line.split() for line in path.read_text().splitlines()[6:10]], dtype=float)


#: Camera to world of the second frame, read by hand; its depth; units a metre.
BY_HAND: dict[str, tuple[Callable[[Path], np.ndarray], str, float]] = {
    "extracted": (lambda f: np.loadtxt(f / "pose" / "1.txt"), "depth/1.png", 1000),
    "posed_images": (lambda f: np.loadtxt(f / "00001.txt"), "00001.png", 1000),
    "seven_scenes": (lambda f: np.loadtxt(f / "frame-000001.pose.txt"), "frame-000001.depth.png", 1000),
    "replica": (lambda f: np.loadtxt(f / "traj.txt")[1].reshape(4, 4), "results/depth000001.png", 6553.5),
    "redwood": (lambda f: from_log(f / "trajectory.log"), "depth/00001.png", 1000),
    "tum": (lambda f: from_quaternion(np.loadtxt(f / "groundtruth.txt")[1]), "depth/2.500000.png", 5000),
    "icl_nuim": (
        lambda f: from_quaternion(np.loadtxt(f / "livingRoom0.gt.freiburg")[1]),
        "depth/1.png",
        5000,
    ),
    "arkitscenes": (
        lambda f: from_vector(np.loadtxt(f / "lowres_wide.traj")[1]),
        "lowres_depth/40777060_2.500.png",
        1000,
    ),
}


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_stored_poses_and_depth(name: str, cases: dict[str, Any], short: Recording, folder: Path) -> None:
    cases[name].write(short, folder)
    pose, depth, units = BY_HAND[name]
    expected = short.T_world_cam[1]
    if name == "icl_nuim":  # y of camera and world the other way round
        mirror = np.diag([1.0, -1.0, 1.0, 1.0])
        expected = mirror @ expected @ mirror
    np.testing.assert_allclose(pose(folder), expected, atol=1e-8)
    stored = np.asarray(Image.open(folder / depth)).astype(np.int64)
    hole = 65535 if name == "seven_scenes" else 0
    millimetres = np.where(stored == hole, 0, stored * 1000 / units)
    np.testing.assert_allclose(millimetres, short.depth_mm[1], atol=500 / units if name == "replica" else 0)


def test_every_layout_is_looked_at(cases: dict[str, Any]) -> None:
    assert BY_HAND.keys() == cases.keys()
