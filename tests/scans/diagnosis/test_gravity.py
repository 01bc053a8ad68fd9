"""Up is found in every world, against the alignment of generated scans and the floor of the real office."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from turned import PLAIN, Recording

from vantage.geometry.transforms import compose
from vantage.scans.conventions import UPS, Convention, Up, level_rotation
from vantage.scans.diagnosis.examine import Claim, gravity_of, up_setting, world_poses
from vantage.scans.diagnosis.gravity import Gravity, floor_height
from vantage.scans.diagnosis.verdict import PoseFinding
from vantage.scans.diagnosis.views import Views, usable

FITS = PoseFinding("fits", PLAIN, PLAIN)


def gravity(recording: Recording, folder: Path, truth: Convention = PLAIN, every: int = 3) -> Gravity | None:
    scan = recording.write(folder, truth)
    frames, views = usable(scan), Views(folder, scan, 700)
    seen = [view for frame in frames[::every] if (view := views.of(frame)) is not None]
    return gravity_of(seen, frames, world_poses(frames, PLAIN, truth), truth)


@pytest.mark.parametrize("up", UPS)
def test_every_axis_can_be_up(room: Recording, tmp_path: Path, up: Up) -> None:
    W = compose(level_rotation(up).T, np.array([0.3, -0.2, 0.5]))  # z of the raw world becomes `up`
    moved = room.moved(W)
    found = gravity(moved, tmp_path, Convention("world_to_camera", "opengl", 5000.0))
    assert found is not None and found.sure
    assert found.up == up and found.off_deg < 0.5
    truth = moved.T_aligned_world
    assert truth is not None
    assert np.degrees(np.arccos(min(1.0, truth[2, :3] @ found.direction))) < 0.5
    # The floor is z = 0 of the aligned world: truth[2] maps raw points to their height above it.
    assert found.floor_m == pytest.approx(-truth[2, 3], abs=0.02)
    claimed = Claim(Convention(up="z"), None)
    assert up_setting(FITS, claimed, found) == ({} if up == "z" else {"up": up})
    assert up_setting(FITS, Claim(PLAIN, np.eye(4)), found) == {}  # an axisAlignment says more


def test_a_world_that_leans_says_how_much(room: Recording, tmp_path: Path) -> None:
    lean = np.radians(12.0)
    R = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    found = gravity(room.moved(compose(R, np.zeros(3))), tmp_path)
    assert found is not None and found.up == "z"
    assert found.off_deg == pytest.approx(12.0, abs=0.5)


def test_cameras_held_sideways(room: Recording, tmp_path: Path) -> None:
    """A phone held upright: the image lies on its side, and up is along its rows."""
    turned = np.rot90(room.depth_mm, axes=(1, 2)).copy()
    c = room.camera
    # Counter-clockwise by a quarter: (u, v) goes to (v, width - 1 - u), so x' = y and y' = -x.
    camera = type(c)(c.height, c.width, c.fy, c.fx, c.cy, c.width - 1 - c.cx)
    R_cam_turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    poses = room.T_world_cam @ compose(R_cam_turned, np.zeros(3))
    sideways = Recording(camera, turned, poses, T_aligned_world=room.T_aligned_world)
    found = gravity(sideways, tmp_path, every=1)
    assert found is not None and found.up == "z" and found.off_deg < 0.5


def test_on_the_real_office(real_office: Recording, tmp_path: Path) -> None:
    found = gravity(real_office, tmp_path)
    assert found is not None and found.sure
    assert found.up == "z" and found.off_deg < 1.0
    assert found.floor_m == pytest.approx(0.0, abs=0.03)


def test_the_floor_is_the_lowest_large_surface_not_the_largest() -> None:
    """Of a room that is full of tables, and of strays below its floor."""
    random = np.random.default_rng(0)
    heights = np.concatenate([np.full(900, 0.74), np.full(400, 0.02), np.full(9, -1.3)])
    points = random.uniform(-2, 2, (len(heights), 3))
    points[:, 2] = heights + random.normal(0, 0.004, len(heights))
    normals = np.tile([0.0, 0.0, 1.0], (len(heights), 1))
    found = floor_height(points, normals, np.array([0.0, 0.0, 1.0]), np.full(5, 1.5))
    assert found == pytest.approx(0.02, abs=0.005)
    low = np.full(5, 0.1)  # cameras held under the tables and hardly over the floor
    assert floor_height(points, normals, np.array([0.0, 0.0, 1.0]), low) is None


def test_nothing_is_said_without_surface(room: Recording, tmp_path: Path) -> None:
    import dataclasses

    empty = dataclasses.replace(room, depth_mm=np.zeros_like(room.depth_mm))
    assert gravity(empty, tmp_path) is None
