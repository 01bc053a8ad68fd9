"""What a frame shows of a box, against points of the box and rays followed step by step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from asked_rooms import Rooms

from vantage.core.errors import VantageError
from vantage.evaluation.running.object_views import MIN_VISIBLE, SLACK_M, ObjectViews, visible_share
from vantage.evaluation.running.scan_views import MeasuredScan
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, from_yaw, invert
from vantage.records.frames import Frame
from vantage.records.objects import axis_boxes
from vantage.scans.objects import read_annotations

CAMERA = Pinhole(64, 48, 50.0, 52.0, 30.5, 25.0)
BOX = OrientedBox(np.array([0.1, 0.0, 3.0]), np.array([0.8, 0.6, 0.5]), from_yaw(0.4)[:3, :3])


@pytest.fixture(scope="module")
def recorded(asked_rooms: Rooms) -> MeasuredScan:
    return MeasuredScan.open(asked_rooms.scans / "room0000_00")


def volume(box: OrientedBox, steps: int = 12) -> np.ndarray:
    """Points throughout a box, faces included."""
    grid = np.stack(np.meshgrid(*[np.linspace(-0.5, 0.5, steps)] * 3), axis=-1).reshape(-1, 3)
    return np.asarray((grid * box.size) @ box.rotation.T + box.center)


def brute_share(depth: np.ndarray, camera: Pinhole, box: OrientedBox) -> float:
    """Each pixel's ray followed in steps of 2 mm to where it ends."""
    ended = before = 0
    for v in range(camera.height):
        for u in range(camera.width):
            z = float(depth[v, u])
            if not np.isfinite(z) or z <= 0:
                continue
            steps = np.arange(0.002, 9.0, 0.002)
            way = camera.backproject(np.tile([float(u), float(v)], (len(steps), 1)), steps)
            if not box.contains(way).any():
                continue
            near = steps[box.contains(way, SLACK_M)]
            ended += z <= near[-1]
            before += z < near[0]
    return (ended - before) / ended if ended else 0.0


def wall(z: float) -> np.ndarray:
    return np.full((CAMERA.height, CAMERA.width), z, np.float32)


def half_hidden() -> np.ndarray:
    depth = wall(3.0)
    depth[:, :31] = 1.5
    return depth


def holes_and_beyond() -> np.ndarray:
    depth = wall(3.0)
    depth[::2] = 0.0
    depth[10:20] = 8.0
    depth[20:30, 25:35] = 1.0
    depth[31] = np.nan
    return depth


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (wall(3.0), 1.0), (wall(1.0), 0.0), (wall(8.0), 0.0), (wall(0.0), 0.0),
        (half_hidden(), None), (holes_and_beyond(), None),
    ],
)  # fmt: skip
def test_the_visible_share_is_that_of_rays_followed(depth: np.ndarray, expected: float | None) -> None:
    found = visible_share(depth, CAMERA, BOX)
    # Rays that graze an edge or slack are few: each is 1 of several hundred.
    assert found == pytest.approx(brute_share(depth, CAMERA, BOX), abs=0.01)
    if expected is None:
        assert 0.2 < found < 0.95
    else:
        assert found == expected


@pytest.mark.parametrize(
    "center", [(0.0, 0.0, 0.1), (0.3, 0.1, 0.25), (1.5, 0.0, 2.0), (-1.2, 0.9, 2.2)], ids=str
)
def test_boxes_around_the_camera_and_across_the_border(center: tuple[float, float, float]) -> None:
    box = OrientedBox(np.array(center), np.array([1.0, 0.7, 0.6]), from_yaw(0.7)[:3, :3])
    depth = wall(0.3 if center[2] < 1 else 2.1)
    depth[:, ::3] = 0.1
    assert visible_share(depth, CAMERA, box) == pytest.approx(brute_share(depth, CAMERA, box), abs=0.01)


@pytest.mark.parametrize("center", [(0.0, 0.0, -2.0), (9.0, 0.0, 2.0)], ids=["behind", "beside"])
def test_a_box_out_of_sight_is_not_visible(center: tuple[float, float, float]) -> None:
    box = OrientedBox(np.array(center), np.ones(3), np.eye(3))
    assert visible_share(wall(2.0), CAMERA, box) == 0.0


def test_a_thin_box_on_a_wall_is_visible_in_spite_of_noise() -> None:
    picture = OrientedBox(np.array([0.0, 0.0, 3.0]), np.array([0.8, 0.6, 0.01]), np.eye(3))
    noise = np.random.default_rng(0).normal(0, 0.01, (CAMERA.height, CAMERA.width))
    assert visible_share((wall(3.0) + noise).astype(np.float32), CAMERA, picture) == 1.0


def boxes(asked_rooms: Rooms) -> list[OrientedBox]:
    """Every annotated object: furniture, floor and walls, which reach behind the cameras."""
    scan = asked_rooms.made[0]
    found = read_annotations(asked_rooms.scans / scan.scan_id, scan.scan_id, scan.T_aligned_raw)
    return list(axis_boxes(found.points, scan.T_aligned_raw).values())


def aligned_camera(recorded: MeasuredScan, frame: Frame) -> np.ndarray:
    return np.asarray(recorded.meta.T_aligned_raw @ frame.T_raw_cam)


def test_outlines_hold_all_points_before_the_camera_and_no_more(
    recorded: MeasuredScan, asked_rooms: Rooms
) -> None:
    views, camera, partly = ObjectViews(recorded), recorded.meta.color, 0
    for box in boxes(asked_rooms):
        for frame in recorded.kept[:6]:
            outline = views.outline(box, frame)
            p_cam = apply(invert(aligned_camera(recorded, frame)), volume(box))
            uv, z = camera.project(p_cam)
            before = z >= 0.01
            partly += bool(before.any() and not before.all())
            assert (len(outline) > 0) >= before.any()
            if not before.any():
                continue
            for p, q in zip(outline, np.roll(outline, -1, axis=0), strict=True):
                turn = (q[0] - p[0]) * (uv[before, 1] - p[1]) - (q[1] - p[1]) * (uv[before, 0] - p[0])
                assert turn.min() > -1e-6 * max(1.0, np.abs(outline).max()) ** 2
            if before.all():
                reach = [outline.min(axis=0), outline.max(axis=0)]
                np.testing.assert_allclose(reach, [uv.min(axis=0), uv.max(axis=0)], atol=1e-6)
    assert partly > 10, "boxes partly behind the camera are among them"


def brute_extent(recorded: MeasuredScan, box: OrientedBox, frame: Frame) -> float:
    """Pixels of the picture whose ray meets the box, and how many there are without the picture's border."""
    camera = recorded.meta.color
    wide = Pinhole(
        camera.width * 9, camera.height * 9, camera.fx, camera.fy,
        camera.cx + camera.width * 4, camera.cy + camera.height * 4,
    )  # fmt: skip
    box_cam = box.transformed(invert(aligned_camera(recorded, frame)))
    start, way = -box_cam.center @ box_cam.rotation, wide.rays() @ box_cam.rotation
    half = box_cam.size / 2
    low, high = (-half - start) / way, (half - start) / way
    met = (np.maximum(np.minimum(low, high).max(-1), 0.01) <= np.maximum(low, high).min(-1)).astype(float)
    w, h = camera.width, camera.height
    inside = met[4 * h : 5 * h, 4 * w : 5 * w].sum()
    return 0.0 if inside == 0 else inside**2 / met.sum() / (w * h)


def test_the_extent_is_that_of_pixels_counted(recorded: MeasuredScan, asked_rooms: Rooms) -> None:
    views, compared = ObjectViews(recorded), 0
    for box in boxes(asked_rooms)[:6]:
        for frame in recorded.good[:6]:
            found, counted = views.extent(box, frame), brute_extent(recorded, box, frame)
            if found == 0.0:
                assert counted == 0.0
            elif found > 0.01:
                compared += 1
                assert found == pytest.approx(counted, rel=0.06)
    assert compared > 6


def test_the_best_frame_is_the_best_of_all(recorded: MeasuredScan, asked_rooms: Rooms) -> None:
    views, found = ObjectViews(recorded), set()
    for box in boxes(asked_rooms):
        values = {}
        for frame in recorded.good:
            share = views.visible(box, frame)
            values[frame.frame_id] = views.extent(box, frame) * share if share >= MIN_VISIBLE else 0.0
        if max(values.values()) > 0:
            best = views.best(box)
            found.add(best.frame_id)
            assert best.frame_id == max(values, key=lambda k: (values[k], -k)), values
            assert views.shows(box, best)
    assert len(found) > 3


def test_frames_of_poor_quality_are_taken_where_no_other_shows_it(
    recorded: MeasuredScan, asked_rooms: Rooms
) -> None:
    box = boxes(asked_rooms)[0]
    best = ObjectViews(recorded).best(box)
    shown = [f for f in recorded.kept if ObjectViews(recorded).shows(box, f)]
    blurred = [replace(f, blur=0.0) if f in shown else f for f in recorded.frames]
    poor = MeasuredScan(recorded.folder, recorded.meta, blurred, recorded.points)
    assert not {f.frame_id for f in poor.good} & {f.frame_id for f in shown}
    assert ObjectViews(poor).best(box).frame_id == best.frame_id


def test_an_object_that_no_frame_shows(recorded: MeasuredScan) -> None:
    views = ObjectViews(recorded)
    for center in ([50.0, 0.0, 1.0], [0.0, 0.0, -3.0]):
        hidden = OrientedBox(np.array(center), np.full(3, 0.3), np.eye(3))
        with pytest.raises(VantageError, match="no frame shows"):
            views.best(hidden)
        assert not any(views.shows(hidden, frame) for frame in recorded.kept)
