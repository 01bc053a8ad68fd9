import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose
from vantage.recover.published import ShrunkCamera, published_scores

SCANNET = Pinhole(1296, 968, 1169.621094, 1167.105103, 646.295044, 489.927032)


def by_loop(
    coord: np.ndarray, instance: np.ndarray, poses: list[np.ndarray], camera: Pinhole, shrink: float
) -> np.ndarray:
    """The published program: a point at a time, each object's points projected again."""
    fx, fy, cx, cy = (value * shrink for value in (camera.fx, camera.fy, camera.cx, camera.cy))
    width, height = int(camera.width * shrink), int(camera.height * shrink)

    def pixel(T_cam_world: np.ndarray, p: np.ndarray) -> tuple[int, int, float] | None:
        x, y, z, _ = T_cam_world @ np.array([p[0], p[1], p[2], 1.0], dtype=np.float64)
        if not z > 0:
            return None
        u, v = int(fx * x / z + cx), int(fy * y / z + cy)
        return (u, v, z) if 0 <= u < width and 0 <= v < height else None

    rows = []
    for pose in poses:
        T_cam_world = np.linalg.inv(pose)
        depth = np.full((height, width), np.inf)
        for p in coord:
            if (hit := pixel(T_cam_world, p)) and hit[2] < depth[hit[1], hit[0]]:
                depth[hit[1], hit[0]] = hit[2]
        row = []
        for object_id in np.unique(instance):
            mine = coord[instance == object_id]
            hits = [hit for p in mine if (hit := pixel(T_cam_world, p))]
            row.append(sum(z <= depth[v, u] + 1e-3 for u, v, z in hits) / len(mine))
        rows.append(row)
    return np.array(rows, dtype=np.float32)


@given(st.integers(0, 2**32 - 1), st.floats(0.02, 1.0))
@settings(max_examples=12, deadline=None)
def test_float32_identical_to_the_published_loop(seed: int, shrink: float) -> None:
    rng = np.random.default_rng(seed)
    coord = rng.uniform(-2, 2, (400, 3)).astype(np.float32)
    instance = rng.choice(np.array([-1, 0, 3, 17], dtype=np.int32), 400)
    poses = [compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3)) for _ in range(4)]
    ids, scores = published_scores(coord, instance, poses, [SCANNET] * len(poses), shrink)
    assert ids.tolist() == np.unique(instance).tolist()
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, by_loop(coord, instance, poses, SCANNET, shrink))


def score(
    points: list[list[float]], instance: list[int], camera: Pinhole, shrink: float = 1.0
) -> list[float]:
    coord, ids = np.array(points, dtype=np.float32), np.array(instance, dtype=np.int32)
    return published_scores(coord, ids, [np.eye(4)], [camera], shrink)[1][0].tolist()


def test_sizes_are_truncated_and_all_intrinsics_shrunk() -> None:
    small = ShrunkCamera.of(SCANNET, 0.1)
    assert (small.width, small.height) == (129, 96)
    assert (small.fx, small.cy) == (pytest.approx(116.9621094), pytest.approx(48.9927032))


def test_truncation_keeps_the_half_pixel_left_of_the_image_and_loses_the_rest_on_the_right() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    left = [[(u - 5.0) / 10, 0.0, 1.0] for u in (-0.9, -1.1, 9.9, 10.1)]
    assert score(left, [0, 1, 2, 3], camera) == [1.0, 0.0, 1.0, 0.0]


def test_one_millimetre_of_tolerance_and_nothing_behind() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    points = [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0009], [0.0, 0.0, 1.0011], [0.0, 0.0, -1.0], [0.1, 0.1, 0.0]]
    assert score(points, [0, 1, 2, 3, 4], camera) == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_the_divisor_is_all_points_of_the_object() -> None:
    camera = Pinhole(10, 10, 10.0, 10.0, 5.0, 5.0)
    points = [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0], [9.0, 0.0, 1.0], [0.2, 0.0, 1.0]]
    assert score(points, [7, 7, 7, 7], camera) == [0.5]
