import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose
from vantage.recover.cells import Cells
from vantage.recover.published import published_scores
from vantage.recover.shrunk import ShrunkCamera

SCANNET = Pinhole(1296, 968, 1169.621094, 1167.105103, 646.295044, 489.927032)


def by_loop(
    coord: np.ndarray, instance: np.ndarray, poses: list[np.ndarray], camera: Pinhole, shrink: float
) -> tuple[np.ndarray, np.ndarray]:
    """The published program, a point at a time, each object's points projected again; and shares in view."""
    fx, fy, cx, cy = (value * shrink for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    width, height = int(camera.width * shrink), int(camera.height * shrink)

    def pixel(T_cam_world: np.ndarray, p: np.ndarray) -> tuple[int, int, float] | None:
        x, y, z, _ = T_cam_world @ np.array([p[0], p[1], p[2], 1.0], dtype=np.float64)
        if not z > 0:
            return None
        u, v = int(fx * x / z + cx), int(fy * y / z + cy)
        return (u, v, z) if 0 <= u < width and 0 <= v < height else None

    rows, views = [], []
    for pose in poses:
        T_cam_world = np.linalg.inv(pose)
        depth = np.full((height, width), np.inf)
        for p in coord:
            if (hit := pixel(T_cam_world, p)) and hit[2] < depth[hit[1], hit[0]]:
                depth[hit[1], hit[0]] = hit[2]
        row, view = [], []
        for object_id in np.unique(instance):
            mine = coord[instance == object_id]
            hits = [hit for p in mine if (hit := pixel(T_cam_world, p))]
            row.append(sum(z <= depth[v, u] + 1e-3 for u, v, z in hits) / len(mine))
            view.append(len(hits) / len(mine))
        rows.append(row)
        views.append(view)
    return np.array(rows, dtype=np.float32), np.array(views, dtype=np.float32)


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 1.0), st.sampled_from([0.5, 2.0, 30.0]))
@settings(max_examples=10, deadline=None)
def test_float32_identical_to_the_published_loop(seed: int, shrink: float, spread: float) -> None:
    rng = np.random.default_rng(seed)
    coord = (rng.uniform(-spread, spread, (300, 3)) + rng.normal(size=3) * spread).astype(np.float32)
    some = [-1, 0, 3, 17] if seed % 2 else [-1, 5, 2**31 - 1, -(2**31)]
    instance = rng.choice(np.array(some, dtype=np.int32), 300)
    poses = [
        compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3) * spread) for _ in range(4)
    ]
    poses[3][:3, :3] *= 1.5  # the published inverse takes a pose that is not rigid, too
    cameras = [SCANNET] * len(poses)
    exact, view = by_loop(coord, instance, poses, SCANNET, shrink)
    for options in ({}, {"threads": 3}, {"device": "cpu"}):
        found = published_scores(coord, instance, poses, cameras, shrink, **options)
        assert found.object_ids.tolist() == np.unique(instance).tolist()
        assert found.score.dtype == np.float32
        np.testing.assert_array_equal(found.score, exact)
        np.testing.assert_array_equal(found.in_view, view)


def test_each_pose_has_its_own_camera() -> None:
    rng = np.random.default_rng(0)
    coord = rng.uniform(-1, 1, (500, 3)).astype(np.float32) + np.float32([0, 0, 3])
    instance = rng.integers(0, 3, 500).astype(np.int32)
    cameras = [
        SCANNET,
        Pinhole(640, 480, 400.0, 410.0, 300.0, 250.0),
        Pinhole(100, 90, 300.0, 300.0, 9.0, 8.0),
    ]
    poses = [np.eye(4)] * 3
    for options in ({}, {"threads": 2}, {"device": "cpu"}):
        together = published_scores(coord, instance, poses, cameras, 0.5, **options)
        for row, camera in enumerate(cameras):
            np.testing.assert_array_equal(
                together.score[row], by_loop(coord, instance, [np.eye(4)], camera, 0.5)[0][0]
            )
    with pytest.raises(ValueError, match="3 poses and 2 cameras"):
        published_scores(coord, instance, poses, cameras[:2], 0.5)


def test_no_points_and_no_poses() -> None:
    nothing = published_scores(
        np.zeros((0, 3), np.float32), np.zeros(0, np.int32), [np.eye(4)], [SCANNET], 0.1
    )
    assert nothing.score.shape == (1, 0)
    one = published_scores(np.ones((1, 3), np.float32), np.zeros(1, np.int32), [], [], 0.1)
    assert one.score.shape == (0, 1)


def test_cells_hold_every_point_once_within_their_sphere() -> None:
    rng = np.random.default_rng(1)
    coord = np.concatenate([rng.normal(size=(400, 3)), [[1e9, -1e9, 0.0]], [[3e7, 0, 0]]]).astype(np.float32)
    cells = Cells.of(coord, np.arange(len(coord)))
    np.testing.assert_array_equal(np.sort(cells.column), np.arange(len(coord)))
    np.testing.assert_array_equal(cells.coord, coord[cells.column])
    for (x, y, z, radius), first, end in zip(cells.spheres, cells.starts[:-1], cells.starts[1:], strict=True):
        assert end > first
        away = np.linalg.norm(cells.coord[first:end].astype(np.float64) - [x, y, z], axis=1)
        assert (away <= radius).all()
    assert len(cells.spheres) > 50


def score(
    points: list[list[float]], instance: list[int], camera: Pinhole, shrink: float = 1.0
) -> list[float]:
    coord, ids = np.array(points, dtype=np.float32), np.array(instance, dtype=np.int32)
    found = [
        published_scores(coord, ids, [np.eye(4)], [camera], shrink, device=device).score[0].tolist()
        for device in (None, "cpu")
    ]
    assert found[0] == found[1]
    return found[0]


def test_sizes_are_truncated_and_all_intrinsics_shrunk() -> None:
    small = ShrunkCamera.of(SCANNET, 0.1)
    assert (small.width, small.height) == (129, 96)
    assert (small.fx, small.cy) == (pytest.approx(116.9621094), pytest.approx(48.9927032))


def test_truncation_keeps_the_half_pixel_left_of_the_image_and_loses_the_rest_on_the_right() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    left = [[(u - 5.0) / 10, 0.0, 1.0] for u in (-0.9, -1.1, 9.9, 10.1)]
    assert score(left, [0, 1, 2, 3], camera) == [1.0, 0.0, 1.0, 0.0]
    above = [[0.0, (v - 5.0) / 10, 1.0] for v in (-0.9, -1.1, 9.9, 10.1)]
    assert score(above, [0, 1, 2, 3], camera) == [1.0, 0.0, 1.0, 0.0]
    # Width 129.6 is truncated to 129: u in [129, 129.6) is lost; -0.5 lands on 0, hidden by what is there.
    wide = [[(u - SCANNET.cx * 0.1) / (SCANNET.fx * 0.1), 0.0, 1.0] for u in (128.9, 129.3)]
    assert score(wide, [0, 1], SCANNET, 0.1) == [1.0, 0.0]
    assert score([[-0.55, 0.0, 1.0], [-0.46, 0.0, 0.9]], [0, 1], camera) == [0.0, 1.0]


def test_one_millimetre_of_tolerance_and_nothing_behind() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    points = [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0009], [0.0, 0.0, 1.0011], [0.0, 0.0, -1.0], [0.1, 0.1, 0.0]]
    assert score(points, [0, 1, 2, 3, 4], camera) == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_the_tolerance_is_inclusive_to_the_last_bit() -> None:
    camera, far = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0), 2.0**20
    pose = compose(np.eye(3), np.array([0.0, 0.0, -far]))  # z is the point's plus 2^20, where ulps are coarse
    limit = (far + 1e-3) - far
    steps = [np.float32(limit + k * np.spacing(far)) for k in (-1, 0, 1)]
    depths = [float(step) + far for step in steps]
    assert depths[0] < far + 1e-3
    assert depths[1] == far + 1e-3
    assert depths[2] > far + 1e-3
    coord = np.array([[0, 0, 0], *([0, 0, step] for step in steps)], dtype=np.float32)
    for device in (None, "cpu"):
        found = published_scores(coord, np.arange(4, dtype=np.int32), [pose], [camera], 1.0, device=device)
        assert found.score[0].tolist() == [1.0, 1.0, 1.0, 0.0]


@pytest.mark.filterwarnings("error")
def test_points_at_the_camera_and_far_away_are_no_trouble() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    points = [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1e-38], [1e30, 0.0, 1e-30], [0.0, 0.0, 1e30]]
    assert score(points, [0, 1, 2, 3, 4], camera) == [0.0, 0.0, 0.0, 0.0, 1.0]


def test_the_divisor_is_all_points_of_the_object() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    points = [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [9.0, 0.0, 1.0], [0.2, 0.0, 1.0]]
    assert score(points, [7, 7, 7, 7], camera) == [0.5]
