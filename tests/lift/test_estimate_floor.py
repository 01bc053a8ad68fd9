"""The camera's height above the floor in depth of unknown scale, against ray-cast rooms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from box_room import COLOR, look_around, make_room, render, sensed
from vantage.core.errors import ScanError
from vantage.core.tasks import Task
from vantage.geometry.transforms import R_FLU_RDF, apply, compose
from vantage.lift.estimators.floor import find_floor
from vantage.records.frames import kept_frames
from vantage.records.scan import read_scan
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.pixels import read_depth
from vantage.scans.stage import download, extract

UP = np.array([0.0, 0.0, 1.0])


def up_of(T_world_cam: np.ndarray) -> np.ndarray:
    return T_world_cam[:3, :3].T @ UP


def views_with_floor() -> list[tuple[np.ndarray, np.ndarray]]:
    """Views of 6 rooms with furniture in which at least a fiftieth of the picture is floor."""
    found = []
    for seed in range(6):
        poses = look_around(seed, 5)
        for (depth, _), pose in zip(render(make_room(seed), COLOR, poses), poses, strict=True):
            height = apply(pose, COLOR.rays() * depth[..., None])[..., 2]
            if np.mean(np.abs(height) < 0.005) >= 0.02:
                found.append((depth.astype(np.float32), pose))
    assert len(found) >= 24
    return found


def test_heights_are_found_in_rooms_at_any_scale() -> None:
    """Exact depth times a random scale gives the height times that scale, to a thousandth."""
    rng = np.random.default_rng(0)
    for depth, pose in views_with_floor():
        scale = float(np.exp(rng.uniform(-3, 3)))
        floor = find_floor(depth * np.float32(scale), COLOR, up_of(pose))
        assert floor.below / scale == pytest.approx(pose[2, 3], rel=1e-3)
        assert floor.points >= 100
        assert 0.01 <= floor.share <= 1
        assert floor.spread_relative < 1e-3


def test_noise_and_holes_move_the_height_little() -> None:
    """Noise of a sensor and 3 % holes; smoothly wrong depth, as networks give it, costs its own error."""
    off = []
    for seed, (depth, pose) in enumerate(views_with_floor()):
        floor = find_floor(sensed(depth, seed), COLOR, up_of(pose))
        off.append(abs(floor.below / pose[2, 3] - 1))
        v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
        wavy = depth * (1 + 0.02 * np.sin(u / 60.0) * np.cos(v / 45.0))
        bent = find_floor(wavy.astype(np.float32), COLOR, up_of(pose))
        assert bent.below == pytest.approx(pose[2, 3], rel=0.03)
    assert np.max(off) < 0.02


def test_a_table_is_not_the_floor_while_the_floor_is_seen() -> None:
    """The lowest large level surface counts, not the largest one."""
    pose = compose(
        Rotation.from_euler("y", 0.6).as_matrix() @ R_FLU_RDF, np.array([0.0, 0.0, 1.5])
    )  # looks down by 34 deg
    directions = COLOR.rays() @ pose[:3, :3].T
    down = -directions[..., 2]
    assert (down > 0).all()
    table, ground = 0.75 / down, 1.5 / down
    reach = directions[..., :2] * table[..., None]
    on_table = (reach[..., 0] < 1.6) & (np.abs(reach[..., 1]) < 0.5)
    assert on_table.mean() > 0.4
    depth = np.where(on_table, table, ground).astype(np.float32)
    floor = find_floor(depth, COLOR, up_of(pose))
    assert floor.below == pytest.approx(1.5, rel=1e-3)


def test_no_floor_is_told() -> None:
    """Walls, ceilings, holes and noise have none."""
    level = compose(R_FLU_RDF, np.array([0.0, 0.0, 1.5]))
    shape = (COLOR.height, COLOR.width)
    wall = np.full(shape, 2.0, np.float32)
    ceiling = np.zeros(shape, np.float32)
    ray_up = -COLOR.rays()[..., 1]
    ceiling[ray_up > 0.05] = (1.0 / ray_up[ray_up > 0.05]).astype(np.float32)
    noise = np.random.default_rng(0).uniform(0.5, 5, shape).astype(np.float32)
    for depth in (wall, ceiling, np.zeros(shape, np.float32), noise):
        with pytest.raises(ScanError, match="no floor"):
            find_floor(depth, COLOR, up_of(level))


def test_the_floor_of_a_real_office(office: Path, tmp_path: Path) -> None:
    """A real depth sensor's images, times 1.7: most frames show the floor, and desks are far off.

    The recording's world has its floor at z = 0, to 3 cm.
    """
    inputs: dict[str, Path] = {}
    for stage in ("download", "extract"):
        for name in (stage, f"{stage}.work"):
            (tmp_path / name).mkdir()
        task = Task(office.name, dict(inputs), tmp_path / stage, tmp_path / f"{stage}.work", 0)
        if stage == "download":
            download(task, DownloadConfig(source="folder", folder=FolderConfig(path=str(office))))
        else:
            extract(task, ExtractConfig())
        inputs[stage] = task.out
    meta = read_scan(inputs["extract"])
    scales = []
    for frame in kept_frames(inputs["extract"]):
        pose = meta.T_aligned_raw @ frame.T_raw_cam
        depth = read_depth(inputs["download"], meta, frame) * np.float32(1.7)
        try:
            scales.append(pose[2, 3] / find_floor(depth, meta.depth_of(frame), up_of(pose)).below)
        except ScanError:
            continue
    right = np.abs(np.array(scales) * 1.7 - 1) < 0.025
    assert len(scales) >= 35  # of 42
    assert right.sum() >= 32
    assert np.abs(np.array(scales)[~right] / np.median(scales) - 1).min() > 0.25  # so that lift tells them
    assert np.median(scales) * 1.7 == pytest.approx(1, abs=0.015)
