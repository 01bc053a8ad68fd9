"""Replica for NICE-SLAM: the camera beside the scans, lines paired with images, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ScanError
from vantage.scans.config import CaptureConfig
from vantage.scans.layout import scan_files
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.replica import write
from vantage.scans.raw import RawScan

Opened = Callable[..., RawScan]


@pytest.fixture
def scene(short: Recording, folder: Path) -> Path:
    write(short, folder)
    return folder


def renumber(folder: Path, change: Callable[[int], int]) -> None:
    for path in sorted((folder / "results").iterdir(), reverse=True):
        path.rename(path.with_stem(f"{path.stem[:5]}{change(int(path.stem[5:])):06d}"))


def test_the_camera_may_lie_beside_the_scans(scene: Path, short: Recording, opened: Opened) -> None:
    (scene / "cam_params.json").rename(scene.parent / "cam_params.json")
    scan = opened(scene)
    assert scan.color == scan.depth == short.depth_camera and scan.depth_unit_m == pytest.approx(1 / 6553.5)
    assert scan_files(scene, "room")["cam_params.json"] == scene.parent / "cam_params.json"
    (scene.parent / "cam_params.json").unlink()
    with pytest.raises(ScanError, match=r"cam_params\.json in the scan's folder or the one above"):
        opened(scene)
    assert "cam_params.json" not in scan_files(scene, "room")
    told = opened(scene, CaptureConfig(color_intrinsics=(50.0, 51.0, 40.0, 30.0)))
    assert told.depth.fy == 51 and told.depth_unit_m == pytest.approx(1 / 6553.5)


def test_the_files_depth_scale_holds_unless_the_user_gives_one(scene: Path, opened: Opened) -> None:
    value = json.loads((scene / "cam_params.json").read_text())
    value["camera"]["scale"] = 1000.0
    (scene / "cam_params.json").write_text(json.dumps(value))
    assert opened(scene).depth_unit_m == pytest.approx(0.001)
    assert opened(scene, CaptureConfig(depth_units_per_m=2000.0)).depth_unit_m == pytest.approx(0.0005)


def test_lines_are_images_numbers_or_their_places(scene: Path, short: Recording, opened: Opened) -> None:
    lines = (scene / "traj.txt").read_text().splitlines()
    far = " ".join(["9"] * 16)

    def fits() -> bool:
        return all(
            np.allclose(f.T_raw_cam, T) for f, T in zip(opened(scene).frames, short.T_world_cam, strict=True)
        )

    (scene / "traj.txt").write_text("\n".join([*lines, far]))  # a longer trajectory than images
    assert fits()
    renumber(scene, lambda k: k + 1)  # images from one, and a line for each
    (scene / "traj.txt").write_text("\n".join(lines))
    assert fits() and [f.frame_id for f in opened(scene).frames] == [1, 2, 3]
    (scene / "traj.txt").write_text("\n".join([far, *lines, far]))  # some of the images of a longer recording
    assert fits()
    (scene / "traj.txt").write_text("\n".join(lines[:2]))
    with pytest.raises(ScanError, match=r"cannot tell which pose[\s\S]*2 lines"):
        opened(scene)


def test_a_shorter_trajectory_costs_the_frames_after_its_end(scene: Path, opened: Opened) -> None:
    lines = (scene / "traj.txt").read_text().splitlines()
    (scene / "traj.txt").write_text("\n".join(lines[:2]))
    assert [f.problem for f in opened(scene).frames] == ["", "", "no pose: traj.txt has 2 lines"]
    (scene / "traj.txt").write_text("\n".join([lines[0], " ".join(["nan"] * 16), lines[2]]))
    frames = opened(scene).frames
    assert not np.isfinite(frames[1].T_raw_cam).any() and np.isfinite(frames[2].T_raw_cam).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "an empty trajectory"), ("1 2 3\n", r"line 1[\s\S]*3 numbers"), ("x " * 16, "not a trajectory")],
)
def test_damaged_trajectories(scene: Path, opened: Opened, text: str, message: str) -> None:
    (scene / "traj.txt").write_text(text)
    with pytest.raises(ScanError, match=message):
        opened(scene)


@pytest.mark.parametrize(
    "change", [{"fx": -1}, {"scale": 0}, {"scale": "x"}, {"w": None}, {"h": 1e999}, {"scale": float("nan")}]
)
def test_a_damaged_camera(scene: Path, opened: Opened, change: dict[str, object]) -> None:
    value = json.loads((scene / "cam_params.json").read_text())
    value["camera"] |= change
    (scene / "cam_params.json").write_text(json.dumps(value))
    with pytest.raises(ScanError, match=r"cam_params\.json"):
        opened(scene)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"camera": 3}'])
def test_a_file_that_is_no_camera(scene: Path, opened: Opened, text: str) -> None:
    (scene / "cam_params.json").write_text(text)
    with pytest.raises(ScanError, match=r"cam_params\.json"):
        opened(scene)
