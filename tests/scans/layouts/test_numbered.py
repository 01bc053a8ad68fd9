"""The layouts with a matrix for each frame: posed_images, 7-Scenes, and ids in ScanNet's extracted one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.core.errors import ScanError
from vantage.scans.config import CaptureConfig
from vantage.scans.layouts.base import Recording
from vantage.scans.raw import RawScan

Opened = Callable[..., RawScan]
POSE = {
    "extracted": "pose/{}.txt",
    "posed_images": "{:05d}.txt",
    "seven_scenes": "frame-{:06d}.pose.txt",
}


@pytest.fixture(params=sorted(POSE))
def layout(
    request: pytest.FixtureRequest, cases: dict[str, Any], short: Recording, folder: Path
) -> tuple[str, Path]:
    cases[request.param].write(short, folder)
    return request.param, folder


@pytest.mark.parametrize("text", ["", "1 2 3\n", "a b\nc d\n", "1 0 0\n0 1 0\n0 0 1\n"])
def test_an_unreadable_or_empty_pose_costs_its_frame(
    layout: tuple[str, Path], opened: Opened, text: str
) -> None:
    name, folder = layout
    (folder / POSE[name].format(1)).write_text(text)
    problems = [f.problem for f in opened(folder).frames]
    assert problems[1].startswith("unreadable pose") and problems[::2] == ["", ""]


def test_a_lost_or_missing_pose_costs_its_frame(layout: tuple[str, Path], opened: Opened) -> None:
    name, folder = layout
    (folder / POSE[name].format(0)).write_text("-inf -inf -inf -inf\n" * 4)
    (folder / POSE[name].format(1)).unlink()
    frames = opened(folder).frames
    assert [f.problem for f in frames] == ["", "no pose file", ""] and not np.isfinite(
        frames[0].T_raw_cam
    ).any()


def test_a_pose_without_images_stays_in_the_list(layout: tuple[str, Path], opened: Opened) -> None:
    """Counts that do not match lose nothing in silence."""
    name, folder = layout
    pose = folder / POSE[name].format(0)
    (folder / POSE[name].format(7)).write_text(pose.read_text())
    frames = opened(folder).frames
    assert [(f.frame_id, f.problem) for f in frames][3:] == [(7, "no color and no depth file")]


def test_padded_and_unpadded_names_mixed(
    cases: dict[str, Any], short: Recording, folder: Path, opened: Opened
) -> None:
    cases["extracted"].write(short, folder)
    for part, ending in (("color", "jpg"), ("pose", "txt")):
        (folder / part / f"1.{ending}").rename(folder / part / f"000001.{ending}")
    assert [(f.frame_id, f.problem) for f in opened(folder).frames] == [(0, ""), (1, ""), (2, "")]
    (folder / "color" / "2.jpg").rename(folder / "color" / "02.jpg")
    (folder / "color" / "2.png").write_bytes(b"x")
    with pytest.raises(ScanError, match=r"color/[\s\S]*02\.jpg and 2\.png"):
        opened(folder)


def test_two_names_for_one_frame(
    cases: dict[str, Any], short: Recording, tmp_path: Path, opened: Opened
) -> None:
    for name, twin in (("posed_images", "000001.jpg"), ("seven_scenes", "frame-01.color.png")):
        folder = cases[name].write(short, tmp_path / name)
        (folder / twin).write_bytes(b"x")
        with pytest.raises(ScanError, match="two files for one frame"):
            opened(folder)


def test_posed_images_need_both_matrices(
    cases: dict[str, Any], short: Recording, folder: Path, opened: Opened
) -> None:
    cases["posed_images"].write(short, folder)
    (folder / "intrinsic.txt").write_text("-1 0 0\n0 1 0\n0 0 1\n")
    with pytest.raises(ScanError, match=r"bad intrinsics[\s\S]*intrinsic\.txt"):
        opened(folder)
    (folder / "intrinsic.txt").write_text("1 2\n")
    with pytest.raises(ScanError, match="not a matrix"):
        opened(folder)
    (folder / "intrinsic.txt").unlink()
    with pytest.raises(ScanError, match="no frames in the scan's folder"):
        opened(folder)


def test_seven_scenes_cameras_holes_and_registration(
    cases: dict[str, Any], short: Recording, folder: Path, opened: Opened
) -> None:
    cases["seven_scenes"].write(short, folder)
    scan = opened(folder)
    depth, color = scan.depth.resized(640, 480), scan.color.resized(640, 480)
    assert (depth.fx, depth.fy, depth.cx, depth.cy) == pytest.approx((585, 585, 320, 240))
    assert (color.fx, color.fy, color.cx, color.cy) == pytest.approx((525, 525, 320, 240))
    assert scan.extrinsics and scan.up is None  # colour and depth are not registered: the scan tells
    told = opened(folder, CaptureConfig(depth_intrinsics=(70.0, 71.0, 40.0, 30.0)))
    assert told.depth.fy == 71 and told.color == scan.color
