import numpy as np
import pytest

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose
from vantage.recover.without_points import box_scores, point_scores

CAMERA = Pinhole(100, 80, 100.0, 100.0, 49.5, 39.5)
HALF_TURN = compose(np.diag([-1.0, 1.0, -1.0]), np.zeros(3))


def boxes(
    center: list[list[float]], size: list[list[float]], samples: int = 4000, seed: int = 0
) -> np.ndarray:
    rotation = np.tile(np.eye(3), (len(center), 1, 1))
    poses, cameras = [np.eye(4), HALF_TURN], [CAMERA] * 2
    where = (np.array(center, float), np.array(size, float), rotation, poses, cameras)
    return box_scores(*where, 0.1, 10.0, samples, seed)


def test_the_share_of_a_box_in_the_frustum() -> None:
    center = [[0.0, 0, 3], [0, 0, -3], [1.5, 0, 3], [0, 0, 0], [0, 0, 10]]
    size = [[1.0, 1, 1], [1, 1, 1], [0.01, 0.01, 0.01], [0.001, 0.001, 0.001], [1, 1, 2]]
    found = boxes(center, size)
    assert found.dtype == np.float32
    # On the border of the picture (x / z = 1 / 2) half is inside; of the last box the half nearer than 10 m.
    np.testing.assert_allclose(found[0], [1, 0, 0.5, 0, 0.5], atol=0.03)
    np.testing.assert_allclose(found[1, :2], [0, 1])


def test_the_same_seed_gives_the_same_shares_and_a_box_does_not_depend_on_others() -> None:
    center, size = [[1.2, 0, 3], [0, 1.1, 3.0]], [[1.0, 1, 1], [2, 1, 1]]
    both = boxes(center, size, 200)
    np.testing.assert_array_equal(both, boxes(center, size, 200))
    assert (both != boxes(center, size, 200, seed=1)).any()
    np.testing.assert_array_equal(both[:, 1:], boxes(center[1:], size[1:], 200))


def test_a_turned_box_covers_what_its_axes_say() -> None:
    R = compose(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.zeros(3))[:3, :3]
    args = ([np.eye(4)], [CAMERA], 0.1, 10.0, 4000, 0)
    upright = box_scores(np.array([[0.0, 0, 3]]), np.array([[4.0, 1, 1]]), R[None], *args)
    # Four metres along the picture's y axis, of which about 2.4 are in the picture at 3 m.
    assert upright[0, 0] == pytest.approx(0.6, abs=0.03)


def test_a_centre_is_worth_one_in_the_middle_and_nothing_outside() -> None:
    corner = [-0.5 * 2, -0.4 * 2, 2.0]
    center = np.array([[0.0, 0, 2], corner, [0.25 * 2, 0, 2], [0, 0, -2], [2, 0, 2], [0, 0, 11.0]])
    found = point_scores(center, [np.eye(4)], [CAMERA], 0.1, 10.0)
    half_diagonal = np.hypot(100, 80) / 2
    np.testing.assert_allclose(found[0], [1, 0, 1 - 25 / half_diagonal, 0, 0, 0], atol=1e-6)
