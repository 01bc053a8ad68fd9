"""ARKitScenes: intrinsics of each frame, poses at a lower rate, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from depth_agreement import depth_agreement
from vantage.core.errors import ScanError
from vantage.records.frames import Frame
from vantage.records.scan import ScanMeta
from vantage.scans.codecs import decode_depth, encode_png16
from vantage.scans.config import CaptureConfig, ExtractConfig
from vantage.scans.frames import judge
from vantage.scans.layouts.arkitscenes import write
from vantage.scans.layouts.base import Recording
from vantage.scans.raw import RawScan

Opened = Callable[..., RawScan]
POSES = "lowres_wide.traj"


@pytest.fixture
def capture(short: Recording, folder: Path) -> Path:
    write(short, folder)
    return folder


def names(folder: Path, part: str) -> list[Path]:
    return sorted((folder / part).iterdir())


def shares(folder: Path, scan: RawScan) -> list[tuple[int, float]]:
    meta = ScanMeta("room", "room", np.eye(4), scan.color, scan.depth, scan.depth_unit_m, labelled=False)
    frames: list[Frame] = [
        judge(folder, meta, raw, (0.0, 0.0), ExtractConfig(min_blur=0.0)) for raw in scan.frames
    ]
    return [(r.shared, r.share) for r in depth_agreement(folder, frames, meta)]


def test_every_frame_has_its_own_intrinsics(capture: Path, opened: Opened) -> None:
    """Shift one frame's image and its principal point by 9 pixels: it sees what it saw, and only so."""
    before = shares(capture, opened(capture))
    path = names(capture, "lowres_depth")[1]
    depth = decode_depth(path.read_bytes(), "png", None, "")
    moved = np.zeros_like(depth)
    moved[:, 9:] = depth[:, :-9]
    path.write_bytes(encode_png16(moved))
    wrong = shares(capture, opened(capture))
    pincam = names(capture, "lowres_wide_intrinsics")[1]
    words = pincam.read_text().split()
    pincam.write_text(" ".join([*words[:4], str(float(words[4]) + 9), words[5]]))
    after = shares(capture, opened(capture))
    for (n0, s0), (_, s1), (n2, s2) in zip(before, wrong, after, strict=True):
        assert s1 < s0 - 0.2  # the shifted image alone is off
        assert 0.6 * n0 < n2 <= n0 and s2 == pytest.approx(s0, abs=0.02)
    frames = opened(capture).frames
    own = [frame.depth_intrinsics for frame in frames]
    assert own[0] == own[2] and own[1] is not None and own[0] is not None
    assert own[1][2] - own[0][2] == pytest.approx(9) and frames[1].color_intrinsics == own[1]


def test_the_users_intrinsics_hold_for_every_frame(capture: Path, opened: Opened) -> None:
    for path in names(capture, "lowres_wide_intrinsics"):
        path.unlink()
    with pytest.raises(ScanError, match=r"no frame has intrinsics[\s\S]*no intrinsics file"):
        opened(capture)
    scan = opened(capture, CaptureConfig(color_intrinsics=(50.0, 51.0, 40.0, 30.0)))
    assert scan.color.fx == scan.depth.fx == 50
    assert all(f.problem == "" and f.depth_intrinsics is None for f in scan.frames)


def test_intrinsics_and_depth_up_to_a_millisecond_off(capture: Path, opened: Opened) -> None:
    for part, by in (("lowres_wide_intrinsics", 1), ("lowres_depth", -1)):
        path = names(capture, part)[1]
        path.rename(path.with_name(path.name.replace("2.500", f"{2.5 + by / 1000:.3f}")))
    assert [f.problem for f in opened(capture).frames] == ["", "", ""]
    path = names(capture, "lowres_wide_intrinsics")[1]
    path.rename(path.with_name(path.name.replace("2.501", "2.502")))
    assert [f.problem for f in opened(capture).frames] == ["", "no intrinsics file", ""]


def test_a_frame_takes_the_nearest_pose_within_five_milliseconds(
    capture: Path, short: Recording, opened: Opened
) -> None:
    lines = (capture / POSES).read_text().splitlines()
    times = [float(line.split()[0]) for line in lines]
    rest = [line.split(" ", 1)[1] for line in lines]
    moved = [f"{t + by:.6f} {r}" for t, r, by in zip(times, rest, (0.004, 0.006, -0.003), strict=True)]
    (capture / POSES).write_text("\n".join(moved))
    frames = opened(capture).frames
    assert [f.problem for f in frames] == ["", "no pose within 0.005 s", ""]
    np.testing.assert_allclose(frames[2].T_raw_cam, short.T_world_cam[2], atol=1e-8)
    (capture / POSES).write_text("\n".join(f"{t - 7:.6f} {r}" for t, r in zip(times, rest, strict=True)))
    with pytest.raises(
        ScanError, match=r"lowres_wide 2\.000 to 3\.000 s; lowres_wide\.traj -5\.000 to -4\.000 s"
    ):
        opened(capture)
    assert opened(capture, CaptureConfig(pose_delay_s=7.0)).frames[1].problem == ""


def test_stored_poses_are_world_to_camera(capture: Path, opened: Opened) -> None:
    """By hand: the stored motion takes a point of the world to the camera."""
    vector, t, p_world = np.array([0.1, 0.5, -0.2]), np.array([1.0, 2.0, 3.0]), np.array([0.4, -0.3, 1.0])
    (capture / POSES).write_text(f"2.0 {' '.join(map(str, [*vector, *t]))}\n")
    p_cam = Rotation.from_rotvec(vector).apply(p_world) + t
    T = opened(capture).frames[0].T_raw_cam
    np.testing.assert_allclose(T[:3, :3] @ p_cam + T[:3, 3], p_world, atol=1e-12)


def test_sizes_and_text_of_intrinsics_are_checked(capture: Path, opened: Opened) -> None:
    first, second, third = names(capture, "lowres_wide_intrinsics")
    first.write_text("160 120 50 50 40 30")
    second.write_text("80 60 50 x 40 30")
    assert [f.problem for f in opened(capture).frames] == [
        "intrinsics of another size: 160x120 for images of 80x60",
        f"unreadable intrinsics: {second.name} is not w h fx fy cx cy",
        "",
    ]
    for text in ("", "80 60 50 50 40", "80 60 -50 50 40 30", "nan 60 50 50 40 30", "1e999 60 50 50 40 30"):
        third.write_text(text)
        with pytest.raises(ScanError, match="no frame has intrinsics"):
            opened(capture)
    third.write_bytes(b"\xff\xff")
    with pytest.raises(ScanError, match="no frame has intrinsics"):
        opened(capture)


def test_two_videos_or_a_time_twice_are_errors(capture: Path, opened: Opened) -> None:
    path = names(capture, "lowres_wide")[0]
    twin = path.with_name("40777060_2.0000.png")
    twin.write_bytes(path.read_bytes())
    with pytest.raises(ScanError, match=r"a time stamp twice[\s\S]*40777060_2\.000\.png"):
        opened(capture)
    twin.rename(path.with_name("40777061_2.000.png"))
    with pytest.raises(ScanError, match=r"several recordings[\s\S]*40777060, 40777061"):
        opened(capture)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty trajectory"),
        ("2.0 0 0 0 0 0\n", r"line 1[\s\S]*6 numbers"),
        ("2.0 0 0 0 0 0 0\n2.0 0 0 0 0 0 1\n", "a time stamp twice"),
    ],
)
def test_damaged_trajectories(capture: Path, opened: Opened, text: str, message: str) -> None:
    (capture / POSES).write_text(text)
    with pytest.raises(ScanError, match=message):
        opened(capture)


def test_nan_in_the_trajectory_costs_a_frame(capture: Path, opened: Opened) -> None:
    lines = (capture / POSES).read_text().splitlines()
    (capture / POSES).write_text("\n".join([lines[0], "2.5 nan 0 0 0 0 0", lines[2]]))
    frames = opened(capture).frames
    assert [bool(np.isfinite(f.T_raw_cam).all()) for f in frames] == [True, False, True]


def test_no_images(capture: Path, opened: Opened) -> None:
    for path in names(capture, "lowres_wide"):
        path.unlink()
    with pytest.raises(ScanError, match="no frames in the scan's folder"):
        opened(capture)
