"""Opposite views, all at once against pair by pair."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from vantage.evaluation.opposite_views import OppositeViews, opposite_views


def brute_force(
    poses: np.ndarray, centroids: np.ndarray, sees: np.ndarray, above_deg: float
) -> list[tuple[int, int, int, float]]:
    found = []
    for o in range(len(centroids)):
        for i, j in itertools.combinations(range(len(poses)), 2):
            if sees[o, i] and sees[o, j]:
                a, b = (centroids[o][:2] - poses[k][:2, 3] for k in (i, j))
                cosine = float(a @ b) / (math.hypot(*a) * math.hypot(*b))
                angle = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
                if angle > above_deg:
                    found.append((o, i, j, angle))
    return found


def at(*places: tuple[float, float, float]) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(places), 1, 1))
    poses[:, :3, 3] = places
    return poses


def rows(views: OppositeViews) -> list[tuple[int, int, int]]:
    return list(zip(views.object.tolist(), views.first.tolist(), views.second.tolist(), strict=True))


@pytest.mark.parametrize("above_deg", [60.0, 150.0, 175.0])
@pytest.mark.parametrize("seed", range(5))
def test_as_pair_by_pair(seed: int, above_deg: float) -> None:
    generator = np.random.default_rng(seed)
    poses = at(*generator.normal(size=(30, 3)) * 3)
    centroids, sees = generator.normal(size=(6, 3)), generator.random((6, 30)) < 0.6
    views = opposite_views(poses, centroids, sees, above_deg)
    expected = brute_force(poses, centroids, sees, above_deg)
    assert rows(views) == [row[:3] for row in expected] and expected
    np.testing.assert_allclose(views.angle_deg, [row[3] for row in expected], atol=1e-5)


def test_the_border_the_wrap_and_the_height() -> None:
    poses = at((-2.0, 0.01, 0.0), (-2.0, -0.01, 9.0), (2.0, 0.0, 5.0), (0.0, 2.0, 1.0))
    views = opposite_views(poses, np.zeros((1, 3)), np.ones((1, 4), dtype=bool))
    assert rows(views) == [(0, 0, 2), (0, 1, 2)], "0 and 1 stand side by side at yaw +-0, 3 at a right angle"
    right = opposite_views(
        at((2.0, 0.0, 0.0), (-2.0, 0.0, 0.0)), np.zeros((1, 3)), np.ones((1, 2), bool), 180.0
    )
    assert rows(right) == [], "strictly above"


def test_a_view_from_straight_above_has_no_yaw_and_hidden_ones_do_not_count() -> None:
    poses = at((0.0, 0.0, 3.0), (2.0, 0.0, 0.0), (-2.0, 0.0, 0.0))
    centroids = np.zeros((2, 3))
    sees = np.array([[True, True, True], [True, True, False]])
    assert rows(opposite_views(poses, centroids, sees, 0.0)) == [(0, 1, 2)]


def test_turning_and_moving_the_world_changes_nothing() -> None:
    generator = np.random.default_rng(7)
    poses, centroids = at(*generator.normal(size=(12, 3))), generator.normal(size=(3, 3))
    sees = np.ones((3, 12), dtype=bool)
    before = opposite_views(poses, centroids, sees)
    T = np.eye(4)
    T[:2, :2] = [[math.cos(2), -math.sin(2)], [math.sin(2), math.cos(2)]]
    T[:3, 3] = (4.0, -1.0, 2.0)
    after = opposite_views(T @ poses, centroids @ T[:3, :3].T + T[:3, 3], sees)
    assert rows(before) == rows(after)
    np.testing.assert_allclose(before.angle_deg, after.angle_deg, atol=1e-9)


def test_nothing_at_all() -> None:
    views = opposite_views(np.zeros((0, 4, 4)), np.zeros((2, 3)), np.zeros((2, 0), dtype=bool))
    assert rows(views) == []
