"""Which views see a box: inside, before the camera, and not hidden by what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from asked_rooms import Rooms

from vantage.evaluation.running.boxes.eyes import SLACK_M, Eye, eye_of_picture, eyes_of_scan, seeing
from vantage.evaluation.running.scan_views import MeasuredScan, ScanViews
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, level_ego
from vantage.scans.pixels import read_depth

CAMERA = Pinhole(64, 48, 50.0, 50.0, 31.5, 23.5)
SMALL = Pinhole(32, 24, 25.0, 25.0, 15.5, 11.5)


def cube(x: float, y: float, z: float, edge: float = 0.4) -> OrientedBox:
    """In the frame of the camera."""
    return OrientedBox(np.array([x, y, z], dtype=np.float64), np.full(3, edge), np.eye(3))


def eye(depth: np.ndarray | None = None, camera: Pinhole = SMALL) -> Eye:
    """At the origin, its frame the camera's own."""
    return Eye("v", CAMERA, np.eye(4), None if depth is None else lambda: (depth, camera))


def test_a_centre_has_to_be_before_the_camera_and_inside_the_picture() -> None:
    assert eye().sees(cube(0, 0, 2))
    assert not eye().sees(cube(0, 0, -2))
    assert not eye().sees(cube(0, 0, 0.0))
    edge = (64 - 0.5 - 31.5) / 50.0  # x over z at the right border
    assert eye().sees(cube(edge * 2 - 0.001, 0, 2)) and not eye().sees(cube(edge * 2 + 0.001, 0, 2))


def test_what_stands_before_all_of_the_box_hides_it_and_its_own_surface_does_not() -> None:
    box, nearest = cube(0, 0, 2), 1.8
    for surface, sees in (
        (nearest + 0.01, True), (nearest - SLACK_M + 0.01, True), (nearest - SLACK_M - 0.01, False),
        (0.5, False), (5.0, True), (0.0, True),
    ):  # fmt: skip
        assert eye(np.full((24, 32), surface, np.float32)).sees(box) is sees, surface
    turned = OrientedBox(box.center, np.array([0.4, 0.4, 2.0]), np.eye(3))
    assert eye(np.full((24, 32), 1.1, np.float32)).sees(turned), "its own extent counts along the view"


def test_the_pixel_of_the_centre_decides_in_a_depth_image_of_another_size_and_view() -> None:
    depth = np.full((24, 32), 5.0, np.float32)
    row, column = 6, 22
    depth[row, column] = 0.5
    ray = SMALL.backproject(np.array([float(column), float(row)]), np.array(2.0))
    assert not eye(depth).sees(cube(*ray))
    assert eye(depth).sees(cube(ray[0] + 2.0 / 25, ray[1], ray[2]))
    narrow = Pinhole(8, 8, 25.0, 25.0, 3.5, 3.5)
    assert eye(np.full((8, 8), 0.5, np.float32), narrow).sees(cube(1.0, 0, 2)), "beyond what was measured"


def test_a_picture_without_a_pose_is_level_at_eye_height() -> None:
    found = eye_of_picture("p", CAMERA, lambda: np.full((24, 32), 3.0, np.float32))
    assert found.depth is not None and found.depth()[1] == SMALL
    assert np.allclose(level_ego(found.T_frame_cam), np.eye(4))
    assert np.allclose(apply(found.T_frame_cam, np.array([1.0, 0.5, 2.0])), [2.0, -1.0, 1.0])
    assert eye_of_picture("p", CAMERA, None).depth is None


@pytest.mark.parametrize("frame", [0, 3])
def test_a_scans_own_surfaces_are_seen_where_they_were_measured(asked_rooms: Rooms, frame: int) -> None:
    scan = MeasuredScan.open(asked_rooms.scans / "room0000_00")
    shown = ScanViews(scan.folder, scan.meta, tuple(scan.kept[:4]))
    eyes = eyes_of_scan(shown)
    assert eyes[0].name == f"room0000_00/frame {shown.frames[0].frame_id}"
    depth = read_depth(scan.folder, scan.meta, shown.frames[frame])
    camera = scan.meta.depth
    for row, column in ((30, 40), (20, 50)):
        z = float(depth[row, column])
        if not z:
            continue
        uv = np.array([float(column), float(row)])
        for away, sees in ((0.0, True), (-0.3, True), (0.6, False)):
            p_cam = camera.backproject(uv, np.array(z + away))
            at = apply(eyes[frame].T_frame_cam, p_cam)
            box = OrientedBox(at, np.full(3, 0.1), np.eye(3))
            assert eyes[frame].sees(box) is sees
            assert (frame in seeing(eyes)(box)) is sees
