import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from vantage.geometry import transforms as tf
from vantage.geometry.boxes import OrientedBox, convex_hull_xy, fit_upright_box

seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, n: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 3)) * [2.0, 0.7, 0.4] + [3.0, -1.0, 0.8]


def area_by_search(p: np.ndarray, steps: int = 3600) -> float:
    yaws = np.linspace(0, math.pi / 2, steps, endpoint=False)
    along = p[:, :2] @ np.stack([np.cos(yaws), np.sin(yaws)])
    across = p[:, :2] @ np.stack([-np.sin(yaws), np.cos(yaws)])
    return float((np.ptp(along, axis=0) * np.ptp(across, axis=0)).min())


@given(seeds)
@settings(max_examples=30)
def test_the_footprint_is_the_smallest_of_all_directions(seed: int) -> None:
    p = cloud(seed)
    box = fit_upright_box(p)
    area = box.size[0] * box.size[1]
    searched = area_by_search(p)
    assert area <= searched * (1 + 1e-9)
    assert searched <= area * 1.01  # the search is on a grid of 0.025 degrees
    assert box.contains(p, margin=1e-9).all()
    assert -math.pi / 4 <= box.yaw < math.pi / 4


@given(seeds, st.floats(-7, 7), st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=50)
def test_turning_the_points_turns_the_box(seed: int, yaw: float, x: float, y: float) -> None:
    p, T = cloud(seed), tf.from_yaw(yaw, (x, y, 0.5))
    there, moved = fit_upright_box(p).transformed(T), fit_upright_box(tf.apply(T, p))
    np.testing.assert_allclose(moved.center, there.center, atol=1e-6)
    turn = tf.wrap(moved.yaw - there.yaw)
    quarters = round(turn / (math.pi / 2))
    assert abs(turn - quarters * math.pi / 2) < 1e-6
    size = there.size if quarters % 2 == 0 else there.size[[1, 0, 2]]
    np.testing.assert_allclose(moved.size, size, atol=1e-6)


@given(seeds)
@settings(max_examples=30)
def test_the_order_of_points_does_not_matter(seed: int) -> None:
    p = cloud(seed)
    one, other = fit_upright_box(p), fit_upright_box(np.random.default_rng(seed).permutation(p))
    assert np.array_equal(one.center, other.center)
    assert np.array_equal(one.size, other.size)
    assert np.array_equal(one.rotation, other.rotation)


@given(seeds, st.integers(3, 400))
@settings(max_examples=50)
def test_the_hull_is_scipys(seed: int, n: int) -> None:
    xy = cloud(seed, n)[:, :2]
    expected = ConvexHull(xy)
    hull = convex_hull_xy(xy)
    assert {tuple(p) for p in hull} == {tuple(p) for p in xy[expected.vertices]}
    edges = np.roll(hull, -1, axis=0) - hull
    following = np.roll(edges, -1, axis=0)
    assert (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0).all()  # counter-clockwise


@pytest.mark.parametrize("yaw", [0.0, 0.2, -0.6, math.pi / 4])
def test_a_known_box_is_found_again(yaw: float) -> None:
    truth = OrientedBox(np.array([1.0, 2.0, 0.4]), np.array([2.0, 1.0, 0.8]), tf.from_yaw(yaw)[:3, :3])
    found = fit_upright_box(truth.corners())
    np.testing.assert_allclose(found.center, truth.center, atol=1e-9)
    if yaw == math.pi / 4:  # the border belongs to -pi/4, where the box's axes have changed places
        assert abs(found.yaw + math.pi / 4) < 1e-9
        np.testing.assert_allclose(found.size, [1.0, 2.0, 0.8], atol=1e-9)
    else:
        assert abs(found.yaw - yaw) < 1e-9
        np.testing.assert_allclose(found.size, truth.size, atol=1e-9)


def test_among_equal_footprints_the_straightest_wins() -> None:
    angles = np.arange(8) * (math.pi / 4)  # a regular octagon: 0 and -pi/4 tie
    ring = np.stack([np.cos(angles + math.pi / 8), np.sin(angles + math.pi / 8), 0 * angles], axis=1)
    assert abs(fit_upright_box(ring).yaw) < 1e-9
    turned = tf.apply(tf.from_yaw(math.pi / 8), ring)  # now +pi/8 and -pi/8 tie
    assert abs(fit_upright_box(turned).yaw - math.pi / 8) < 1e-9


def test_degenerate_points() -> None:
    assert fit_upright_box(np.array([[1.0, 2.0, 3.0]])).size.tolist() == [0.0, 0.0, 0.0]
    line = fit_upright_box(np.array([[0.0, 0.0, 0.0], [1.0, 0.5, 0.0], [2.0, 1.0, 1.0]]))
    np.testing.assert_allclose(line.size, [math.sqrt(5), 0.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(line.center, [1.0, 0.5, 0.5], atol=1e-9)
    for bad in (np.zeros((0, 3)), np.array([[np.nan, 0.0, 0.0]])):
        with pytest.raises(ValueError, match="at least one point"):
            fit_upright_box(bad)


def test_corners_and_containment_agree() -> None:
    box = OrientedBox(np.array([1.0, 2.0, 0.4]), np.array([2.0, 1.0, 0.8]), tf.from_yaw(0.3)[:3, :3])
    corners = box.corners()
    assert len(np.unique(corners.round(9), axis=0)) == 8
    assert box.contains(corners, margin=1e-9).all()
    assert not box.contains(box.center + (corners - box.center) * 1.01).any()
    assert box.contains(box.center + (corners - box.center) * 1.01, margin=0.02).all()
    assert box.volume == pytest.approx(1.6)
