import numpy as np
import pytest

from box_room import COLOR, DEPTH, BoxRoom, look_around, make_room, render, sensed
from vantage.geometry.camera import Pinhole
from vantage.records.objects import ScanPoints
from vantage.recover.pixel_labels import MODEL_EDGE, PixelLabels
from vantage.recover.scores import column_of

POSES = look_around(1, 8)
IDS = np.arange(12)


@pytest.fixture(scope="module")
def room() -> BoxRoom:
    return make_room(0)


def scan_points(room: BoxRoom) -> ScanPoints:
    return ScanPoints.plain(room.vertices.astype(np.float32), room.instance)


def test_columns() -> None:
    instance = np.array([-1, 4, 9, 5, 4, 100], dtype=np.int32)
    assert column_of(instance, np.array([4, 9])).tolist() == [-1, 0, 1, -1, 0, -1]
    assert column_of(instance, np.array([], dtype=np.int64)).tolist() == [-1] * 6


def test_visible_pixels_against_exact_id_images(room: BoxRoom) -> None:
    labels = PixelLabels(scan_points(room), IDS, stride=4, radius_m=0.08)
    exact = render(room, COLOR.resized(MODEL_EDGE, MODEL_EDGE), POSES)
    truth = np.array([[np.count_nonzero(ids == i) for i in IDS] for _, ids in exact])
    images = [sensed(depth, k) for k, (depth, _) in enumerate(render(room, DEPTH, POSES))]
    found = np.array([labels.count(d, pose, DEPTH, COLOR) for d, pose in zip(images, POSES, strict=True)])

    seen = truth >= 12
    assert 15 < seen.sum() < 60  # enough to judge by, and not everything
    error = np.abs(found[seen] - truth[seen]) / truth[seen]
    assert np.median(error) < 0.05
    assert np.quantile(error, 0.9) < 0.15
    assert ((found >= 12) != seen).mean() <= 0.03
    assert (found[truth == 0] < 12).all()


def test_scattered_holes_change_little_and_a_hidden_object_counts_nothing(room: BoxRoom) -> None:
    labels = PixelLabels(scan_points(room), IDS, stride=4, radius_m=0.08)
    depth, ids = render(room, DEPTH, POSES[:1])[0]
    whole = labels.count(depth, POSES[0], DEPTH, COLOR)
    largest = int(np.argmax(whole))
    assert whole[largest] > 100
    scattered = np.where(np.random.default_rng(0).random(depth.shape) < 0.4, 0, depth).astype(np.float32)
    assert labels.count(scattered, POSES[0], DEPTH, COLOR)[largest] == pytest.approx(whole[largest], rel=0.05)
    hidden = np.where(ids == largest, 0, depth).astype(np.float32)
    assert labels.count(hidden, POSES[0], DEPTH, COLOR)[largest] < 0.1 * whole[largest]


def test_only_pixels_of_the_colour_image_count() -> None:
    depth_camera = Pinhole(64, 64, 32.0, 32.0, 31.5, 31.5)
    color_camera = Pinhole(128, 128, 128.0, 128.0, 63.5, 63.5)  # sees the middle half, on either axis
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 101), np.linspace(-2, 2, 101)), -1).reshape(-1, 2)
    wall = ScanPoints.plain(
        np.c_[grid, np.full(len(grid), 1.0)].astype(np.float32), np.zeros(len(grid), np.int32)
    )
    labels = PixelLabels(wall, np.array([0]), stride=1, radius_m=0.05)
    everywhere = labels.count(np.full((64, 64), 1.0, dtype=np.float32), np.eye(4), depth_camera, color_camera)
    assert everywhere.tolist() == [MODEL_EDGE**2]  # the wall fills the colour image
    holes = np.full((64, 64), 1.0, dtype=np.float32)
    holes[:, :32] = 0
    assert labels.count(holes, np.eye(4), depth_camera, color_camera).tolist() == [MODEL_EDGE**2 / 2]
    elsewhere = np.full((64, 64), 1.2, dtype=np.float32)  # nobody's surface
    assert labels.count(elsewhere, np.eye(4), depth_camera, color_camera).tolist() == [0]
