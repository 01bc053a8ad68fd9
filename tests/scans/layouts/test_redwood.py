"""Redwood's `.log`: which file is the trajectory, which pose is which image's, and the real excerpt."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from depth_agreement import compare_depth
from vantage.core.errors import ScanError
from vantage.geometry.transforms import apply, invert
from vantage.scans.codecs import decode_depth
from vantage.scans.config import CaptureConfig
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.redwood import read_log, write
from vantage.scans.raw import RawScan

Opened = Callable[..., RawScan]


@pytest.fixture
def sequence(short: Recording, folder: Path) -> Path:
    write(short, folder)
    return folder


def renumber(folder: Path, by: int) -> None:
    for part in ("color", "depth"):
        for path in sorted((folder / part).iterdir(), reverse=by > 0):
            path.rename(path.with_stem(f"{int(path.stem) + by:06d}"))


def ids(path: Path, change: Callable[[int], str]) -> None:
    lines = path.read_text().splitlines()
    path.write_text("\n".join(change(k // 5) if k % 5 == 0 else line for k, line in enumerate(lines)))


@pytest.fixture
def excerpt(shared_data: Path) -> Path:
    """Five real frames; of the two logs `trajectory.log` is the one by name."""
    return shared_data / "redwood_excerpt"


def test_the_real_excerpt_agrees(
    excerpt: Path, opened: Opened, record_property: Callable[[str, object], None]
) -> None:
    """Poses, camera and depth scale of a real recording together: frames 0 and 4, 10 cm apart."""
    scan = opened(excerpt)
    assert (scan.layout, [f.frame_id for f in scan.frames]) == ("redwood", [0, 1, 2, 3, 4])
    assert (scan.color.width, scan.color.fx, scan.color.cx, scan.color.cy) == (640, 525, 319.5, 239.5)
    depth = [
        decode_depth((excerpt / f.depth.file).read_bytes(), "png", None, "") * np.float32(scan.depth_unit_m)
        for f in scan.frames
    ]
    logs = {
        "trajectory.log": [f.T_raw_cam for f in scan.frames],
        "odometry.log": read_log(excerpt / "odometry.log")[1],
    }
    for name, T in logs.items():
        T_4_0 = invert(T[4]) @ T[0]
        shared, agreeing = compare_depth(depth[0], depth[4], scan.depth, scan.depth, T_4_0)
        off_m = residuals(scan, depth[0], depth[4], T_4_0)
        record_property(name, f"{agreeing / shared:.4f} of {shared}, median {np.median(off_m) * 1000:.1f} mm")
        # Measured: 97.4 and 97.5 per cent within 5 cm of 252 thousand pixels, medians of 5.3 and 5.5 mm.
        assert shared > 250_000 and agreeing / shared > 0.97 and np.median(off_m) < 0.006
    # As inverses the poses do not fit, nor without any motion.
    for wrong in (T[4] @ invert(T[0]), np.eye(4)):
        shared, agreeing = compare_depth(depth[0], depth[4], scan.depth, scan.depth, wrong)
        assert agreeing / shared < 0.6


def residuals(scan: RawScan, a: np.ndarray, b: np.ndarray, T_b_a: np.ndarray) -> np.ndarray:
    v, u = np.nonzero(a)
    uv, z = scan.depth.project(
        apply(T_b_a, scan.depth.backproject(np.stack([u, v], 1).astype(float), a[v, u]))
    )
    inside = scan.depth.inside(uv)
    column, row = np.floor(uv[inside] + 0.5).astype(int).T
    seen = b[row, column] > 0
    return np.abs(z[inside] - b[row, column])[seen]


def test_both_logs_of_the_excerpt_hold_poses(excerpt: Path) -> None:
    """`odometry.log` too: its rows move on from the first one, and give the same motion as the other's."""
    (_, a), (_, b) = (read_log(excerpt / name) for name in ("trajectory.log", "odometry.log"))
    steps = [[invert(T[k]) @ T[k + 1] for k in range(4)] for T in (a, b)]
    np.testing.assert_allclose(steps[0], steps[1], atol=0.01)


def test_the_log_is_chosen_by_name_or_not_at_all(sequence: Path, opened: Opened) -> None:
    (sequence / "odometry.log").write_text("")
    assert opened(sequence).frames[0].problem == ""
    (sequence / "trajectory.log").rename(sequence / "other.log")
    with pytest.raises(ScanError, match=r"several logs[\s\S]*odometry\.log, other\.log[\s\S]*Rename"):
        opened(sequence)
    (sequence / "odometry.log").unlink()
    assert opened(sequence).frames[2].problem == ""


def test_motions_between_fragments_are_no_trajectory(sequence: Path, opened: Opened) -> None:
    ids(sequence / "trajectory.log", lambda k: f"{k} {k + 1} 3")
    with pytest.raises(ScanError, match=r"pose 1[\s\S]*0 and 1, as in motions between fragments"):
        opened(sequence)


def same(scan: RawScan, short: Recording, numbers: list[int]) -> bool:
    assert [f.frame_id for f in scan.frames] == numbers
    return all(np.allclose(f.T_raw_cam, T) for f, T in zip(scan.frames, short.T_world_cam, strict=True))


def test_poses_are_paired_by_the_ids_that_name_images(
    sequence: Path, short: Recording, opened: Opened
) -> None:
    assert same(opened(sequence), short, [0, 1, 2])
    renumber(sequence, 1)  # images from one: the third id is their number
    assert same(opened(sequence), short, [1, 2, 3])
    renumber(sequence, 49)  # images 50 to 52 and ids that say so
    with pytest.raises(ScanError, match="cannot tell which pose belongs to which image"):
        opened(sequence)
    ids(sequence / "trajectory.log", lambda k: f"{k} {k} {50 + k}")
    assert same(opened(sequence), short, [50, 51, 52])
    ids(sequence / "trajectory.log", lambda k: f"{k} {k} 50")
    with pytest.raises(ScanError, match="two poses for one frame"):
        opened(sequence)


def test_more_images_or_poses_than_partners(sequence: Path, opened: Opened) -> None:
    path = sequence / "trajectory.log"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:5] + lines[10:]))  # tracking was lost in between
    assert [f.problem for f in opened(sequence).frames] == ["", "no pose in trajectory.log", ""]
    path.write_text("\n".join(lines))
    (sequence / "color" / "00002.jpg").unlink()
    assert [f.problem for f in opened(sequence).frames] == ["", "", "no color file"]
    (sequence / "depth" / "00002.png").unlink()
    assert [f.problem for f in opened(sequence).frames] == ["", ""]


def test_a_lost_pose_is_read_as_it_stands(sequence: Path, opened: Opened) -> None:
    path = sequence / "trajectory.log"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:6], *["nan nan nan nan"] * 4, *lines[10:]]))
    frames = opened(sequence).frames
    assert not np.isfinite(frames[1].T_raw_cam).any() and frames[1].problem == "" and frames[2].problem == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [], "an empty trajectory"),
        (lambda lines: lines[:-1], r"a pose is cut short[\s\S]*line 14"),
        (lambda lines: [*lines[:2], "1 2 3", *lines[3:]], r"not a pose[\s\S]*line 3[\s\S]*3 numbers"),
        (lambda lines: [*lines[:5], "1 1", *lines[6:]], r"line 6[\s\S]*2 numbers"),
        (lambda lines: [*lines[:2], "1 2 3 x", *lines[3:]], "not a trajectory"),
        (lambda lines: ["0 0 nan", *lines[1:]], "no whole number"),
        (lambda lines: ["0 0 1e300", *lines[1:]], "no whole number"),
        (lambda lines: ["0 0 1.5", *lines[1:]], "no whole number"),
    ],
)
def test_damaged_logs(
    sequence: Path, opened: Opened, change: Callable[[list[str]], list[str]], message: str
) -> None:
    path = sequence / "trajectory.log"
    path.write_text("\n".join(change(path.read_text().splitlines())))
    with pytest.raises(ScanError, match=message):
        opened(sequence)


def test_where_the_intrinsics_come_from(sequence: Path, short: Recording, opened: Opened) -> None:
    file = sequence / "intrinsic.json"
    value = json.loads(file.read_text())
    assert value["intrinsic_matrix"][6:8] == [short.depth_camera.cx, short.depth_camera.cy]  # by columns
    (sequence / "camera_primesense.json").write_text(file.read_text())
    with pytest.raises(ScanError, match=r"in several files[\s\S]*camera_primesense\.json, intrinsic\.json"):
        opened(sequence)
    file.unlink()
    assert opened(sequence).color == short.depth_camera
    (sequence / "camera_primesense.json").unlink()
    with pytest.raises(ScanError, match=r"not told[\s\S]*extract\.capture\.color_intrinsics"):
        opened(sequence)
    scan = opened(sequence, CaptureConfig(color_intrinsics=(50.0, 51.0, 40.0, 30.0)))
    assert scan.color.fx == scan.depth.fx == 50


def test_intrinsics_of_another_size_are_scaled(sequence: Path, short: Recording, opened: Opened) -> None:
    twice = short.depth_camera.resized(160, 120)
    value = {"width": 160, "height": 120, "intrinsic_matrix": twice.matrix().T.ravel().tolist()}
    (sequence / "intrinsic.json").write_text(json.dumps(value))
    assert opened(sequence).color.to_dict() == pytest.approx(short.depth_camera.to_dict())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"width": 640}',
        '{"width": 640, "height": 480, "intrinsic_matrix": [1, 2]}',
        '{"width": 1e999, "height": 480, "intrinsic_matrix": [1,0,0,0,1,0,2,2,1]}',
        '{"width": 640, "height": 480, "intrinsic_matrix": [-1,0,0,0,1,0,2,2,1]}',
        "[" * 100_000,
    ],
)
def test_damaged_intrinsics(sequence: Path, opened: Opened, text: str) -> None:
    (sequence / "intrinsic.json").write_text(text)
    with pytest.raises(ScanError, match=r"intrinsic\.json"):
        opened(sequence)
