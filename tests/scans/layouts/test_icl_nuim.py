"""ICL-NUIM: the left-handed world against the renderer's own projection, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vantage.core.errors import ScanError
from vantage.geometry.transforms import apply, invert, is_rigid
from vantage.scans.layouts.base import Recording
from vantage.scans.layouts.icl_nuim import write
from vantage.scans.raw import RawScan

Opened = Callable[..., RawScan]
POSES = "livingRoom0.gt.freiburg"


@pytest.fixture
def sequence(short: Recording, folder: Path) -> Path:
    write(short, folder)
    return folder


def test_points_project_as_the_data_set_states(sequence: Path, opened: Opened) -> None:
    """The oracle is the published statement alone: p_world = R p_cam + t with K's fy of -480.

    A point read into our world (the stored one in a mirror) lands on the same pixel at the same depth.
    """
    rng = np.random.default_rng(0)
    q, t = Rotation.random(3, random_state=rng).as_quat(), rng.normal(size=(3, 3))
    rows = [[k, *t[k], *q[k]] for k in range(3)]
    (sequence / POSES).write_text("\n".join(" ".join(map(str, row)) for row in rows))
    scan = opened(sequence)
    for k, frame in enumerate(scan.frames):
        p_stored_cam = rng.uniform((-1, -1, 1), (1, 1, 4), size=(50, 3))
        p_stored_world = Rotation.from_quat(q[k]).apply(p_stored_cam) + t[k]
        x, y, z = p_stored_cam.T
        scale = 80 / 640  # the images here are an eighth of the data set's
        u = (481.2 * x / z + 319.5 + 0.5) * scale - 0.5
        v = (-480.0 * y / z + 239.5 + 0.5) * scale - 0.5
        p_world = p_stored_world * (1, -1, 1)
        assert is_rigid(frame.T_raw_cam)
        uv, depth = scan.depth.project(apply(invert(frame.T_raw_cam), p_world))
        np.testing.assert_allclose(depth, z, atol=1e-9)
        np.testing.assert_allclose(uv, np.stack([u, v], axis=1), atol=1e-9)


def test_up_is_the_renderers_y_in_the_mirror(sequence: Path, opened: Opened) -> None:
    """The renderer's camera at rest (the identity) looks along z with y up; ours has y down: -y is up."""
    (sequence / POSES).write_text("\n".join(f"{k} 0 0 -2.25 0 0 0 1" for k in range(3)))
    scan = opened(sequence)
    np.testing.assert_array_equal(scan.frames[0].T_raw_cam[:3, :3], np.eye(3))
    assert scan.up == "-y" and scan.frames[0].T_raw_cam[2, 3] == -2.25


def test_the_camera_is_the_data_sets_at_the_images_size(sequence: Path, opened: Opened) -> None:
    eye = opened(sequence).color
    assert (eye.width, eye.height) == (80, 60) and eye == opened(sequence).depth
    full = eye.resized(640, 480)
    assert (full.fx, full.fy, full.cx, full.cy) == pytest.approx((481.2, 480.0, 319.5, 239.5))


def test_the_first_frame_has_no_pose(sequence: Path, opened: Opened) -> None:
    """As in the data set, whose poses begin at 1 or 2."""
    lines = (sequence / POSES).read_text().splitlines()
    (sequence / POSES).write_text("\n".join(lines[1:]))
    assert [f.problem for f in opened(sequence).frames] == [f"no pose in {POSES}", "", ""]


def test_without_associations_images_are_paired_by_number(
    sequence: Path, short: Recording, opened: Opened
) -> None:
    (sequence / "associations.txt").write_text("7 depth/1.png 7 rgb/1.png\n")
    (sequence / POSES).write_text("7 1 2 3 0 0 0 1\n")
    frames = opened(sequence).frames
    assert [(f.frame_id, f.color.file, f.depth.file) for f in frames] == [(7, "rgb/1.png", "depth/1.png")]
    assert frames[0].T_raw_cam[:3, 3].tolist() == [1, -2, 3]
    (sequence / "associations.txt").unlink()
    assert [f.frame_id for f in opened(sequence).frames] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 depth/0.png 1 rgb/0.png\n", "not an association"),
        ("0 depth/0.png 0\n", "not an association"),
        ("0.5 depth/0.png 0.5 rgb/0.png\n", "not an association"),
        ("0 depth/0.png 0 ../0.png\n", "outside the scan's folder"),
        ("0 /depth/0.png 0 rgb/0.png\n", "outside the scan's folder"),
        ("0 depth/0.png 0 rgb/0.png\n0 depth/1.png 0 rgb/1.png\n", "a frame twice"),
        ("", "no color images"),
    ],
)
def test_damaged_associations(sequence: Path, opened: Opened, text: str, message: str) -> None:
    (sequence / "associations.txt").write_text(text)
    with pytest.raises(ScanError, match=message):
        opened(sequence)


def test_damaged_trajectories(sequence: Path, opened: Opened) -> None:
    lines = (sequence / POSES).read_text().splitlines()
    (sequence / POSES).write_text("\n".join([f"{lines[0]}9 9", *lines[1:]]))
    with pytest.raises(ScanError, match=r"livingRoom0\.gt\.freiburg, line 1[\s\S]*9 numbers"):
        opened(sequence)
    (sequence / POSES).write_text("0 0 0 0 0 0 0 2\n1 0 0 0 nan 0 0 1\n2 0 0 0 0 0 0 1\n")
    frames = opened(sequence).frames
    assert [f.problem for f in frames] == ["the quaternion is not of length 1: 2", "", ""]
    assert [bool(np.isfinite(f.T_raw_cam).all()) for f in frames] == [False, False, True]
    (sequence / POSES).write_text("")
    with pytest.raises(ScanError, match="an empty trajectory"):
        opened(sequence)
    (sequence / "traj0.gt.freiburg").write_text("")
    with pytest.raises(
        ScanError, match=r"two trajectories[\s\S]*livingRoom0\.gt\.freiburg, traj0\.gt\.freiburg"
    ):
        opened(sequence)
