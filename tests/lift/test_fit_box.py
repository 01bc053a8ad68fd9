"""Boxes around points: against brute force over angles, known boxes, and what has no thickness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.core.errors import ContractError, ParameterError
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.iou3d import iou_pairs
from vantage.geometry.transforms import from_yaw
from vantage.lift.fit_box import Fit, fit_box

seeds = st.integers(0, 10_000)


def surface_points(box: OrientedBox, count: int, seed: int) -> np.ndarray:
    """Points all over a box's faces, its corners among them."""
    rng = np.random.default_rng(seed)
    local = rng.uniform(-0.5, 0.5, (count, 3))
    face = rng.integers(0, 3, count)
    local[np.arange(count), face] = rng.choice([-0.5, 0.5], count)
    return np.concatenate([box.corners(), (local * box.size) @ box.rotation.T + box.center])


def iou(a: OrientedBox, b: OrientedBox) -> float:
    return float(iou_pairs(OrientedBoxes.of([a]), OrientedBoxes.of([b]))[0])


@given(seeds)
@settings(max_examples=30)
def test_an_upright_box_is_found_again(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = OrientedBox(rng.normal(size=3), rng.uniform(0.2, 2, 3), from_yaw(rng.uniform(-3, 3))[:3, :3])
    assert iou(fit_box(surface_points(truth, 300, seed), "upright", 0.0, 0.01), truth) > 0.999


@given(seeds)
@settings(max_examples=30)
def test_no_angle_gives_a_smaller_footprint(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(40, 3)) * (1.0, 0.4, 0.2)
    found = fit_box(points, "upright", 0.0, 1e-6)
    assert found.contains(points, 1e-9).all()
    areas = [
        np.prod(np.ptp(points[:, :2] @ from_yaw(angle)[:2, :2], axis=0))
        for angle in np.linspace(0, np.pi / 2, 721)
    ]
    assert found.size[0] * found.size[1] <= min(areas) + 1e-9


@given(seeds)
@settings(max_examples=20)
def test_a_free_box_is_found_again_whatever_its_turn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    R = Rotation.random(random_state=rng).as_matrix()
    truth = OrientedBox(rng.normal(size=3), np.array([0.4, 0.9, 1.7]), R)
    points = surface_points(truth, 300, seed)
    assert iou(fit_box(points, "free", 0.0, 0.01), truth) > 0.999
    for fit in ("free", "principal"):
        found = fit_box(points, fit, 0.0, 0.01)
        assert np.isclose(np.linalg.det(found.rotation), 1)
        assert found.contains(points, 1e-6).all()


@pytest.mark.parametrize("fit", ["upright", "free", "principal"])
def test_flat_straight_and_single_points_get_the_stated_thickness(fit: Fit) -> None:
    rng = np.random.default_rng(0)
    flat = rng.uniform(size=(50, 3)) * (1, 1, 0)
    straight = np.outer(np.linspace(0, 1, 20), [0.6, 0.0, 0.8])
    for points, thin in ((flat, 1), (straight[:, [0, 1, 1]], 2), (np.ones((3, 3)), 3), (flat[:1], 3)):
        box = fit_box(points, fit, 0.0, 0.02)
        assert np.isfinite([*box.center, *box.size, *box.rotation.ravel()]).all()
        assert (np.isclose(box.size, 0.02)).sum() == thin
        assert box.contains(points, 1e-9).all()
        OrientedBoxes.of([box])
    leaning = fit_box(straight, fit, 0.0, 0.02)
    assert np.isclose(leaning.size.max(), 0.8 if fit == "upright" else 1.0)


def test_the_tails_are_cut_and_no_more() -> None:
    rng = np.random.default_rng(1)
    truth = OrientedBox(np.zeros(3), np.array([1.0, 0.6, 0.8]), np.eye(3))
    points = surface_points(truth, 5000, 1)
    spoilt = np.concatenate([points, [[0, 0, 3.0], [0, 0, -4.0]], rng.uniform(-0.3, 0.3, (3, 3))])
    assert fit_box(spoilt, "upright", 0.0, 0.02).size[2] > 6.9
    assert iou(fit_box(spoilt, "upright", 0.005, 0.02), truth) > 0.97
    few = points[:100]
    assert iou(fit_box(few, "upright", 0.005, 0.02), fit_box(few, "upright", 0.0, 0.02)) == pytest.approx(1)


def test_what_is_no_set_of_points_is_refused() -> None:
    with pytest.raises(ContractError, match="no box without points"):
        fit_box(np.zeros((0, 3)), "upright", 0.0, 0.02)
    with pytest.raises(ContractError, match="no box without points"):
        fit_box(np.full((5, 3), np.nan), "upright", 0.0, 0.02)
    with pytest.raises((ParameterError, TypeError)):
        fit_box(np.zeros((5, 3)), "best", 0.0, 0.02)  # type: ignore[arg-type]
