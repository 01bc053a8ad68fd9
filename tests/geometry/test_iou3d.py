"""The exact overlap of oriented boxes, against half-space intersection, known cases and random points."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection
from scipy.spatial.transform import Rotation

from vantage.core.errors import ContractError
from vantage.geometry import iou3d
from vantage.geometry.box_batch import OrientedBoxes
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import compose, from_yaw

seeds = st.integers(0, 2**32 - 1)
EYE = np.eye(3)


def some_boxes(rng: np.random.Generator, n: int, spread: float = 0.6) -> OrientedBoxes:
    """Boxes of every shape from a pencil to a plate, near each other."""
    size = np.exp(rng.uniform(-2.5, 1.0, (n, 3)))
    return OrientedBoxes(
        rng.normal(size=(n, 3)) * spread, size, Rotation.random(n, random_state=rng).as_matrix()
    )


def one(center: tuple[float, ...], size: tuple[float, ...], rotation: np.ndarray = EYE) -> OrientedBoxes:
    return OrientedBoxes.of(
        [OrientedBox(np.array(center, dtype=float), np.array(size, dtype=float), rotation)]
    )


def halfspaces(box: OrientedBox) -> np.ndarray:
    normals = np.concatenate([box.rotation.T, -box.rotation.T])
    return np.c_[normals, -(normals @ box.center + np.tile(box.size / 2, 2))]


def volume_by_halfspaces(a: OrientedBox, b: OrientedBox) -> float:
    """Qhull's intersection of the twelve half-spaces, about the centre of the largest ball inside."""
    planes = np.concatenate([halfspaces(a), halfspaces(b)])
    ball = linprog(
        [0, 0, 0, -1],
        np.c_[planes[:, :3], np.ones(12)],
        -planes[:, 3],
        bounds=[(None, None)] * 3 + [(0, None)],
    )
    if not ball.success or ball.x[3] < 1e-7:
        return 0.0
    return float(ConvexHull(HalfspaceIntersection(planes, ball.x[:3]).intersections).volume)


@given(seeds)
@settings(max_examples=25)
def test_the_overlap_is_that_of_the_halfspaces(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = some_boxes(rng, 4), some_boxes(rng, 4)
    found = iou3d.overlap_pairs(a, b)
    expected = [volume_by_halfspaces(a[i], b[i]) for i in range(4)]
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


def test_the_overlap_is_that_of_random_points() -> None:
    rng = np.random.default_rng(0)
    a, b = some_boxes(rng, 30, 0.3), some_boxes(rng, 30, 0.3)
    for i, volume in enumerate(iou3d.overlap_pairs(a, b)):
        points = rng.uniform(-0.5, 0.5, (20000, 3)) * a.size[i] @ a.rotation[i].T + a.center[i]
        share = float(b[i].contains(points).mean())
        error = math.sqrt(share * (1 - share) / 20000) + 1e-4
        assert abs(volume / a[i].volume - share) < 5 * error


@pytest.mark.parametrize("turn", [EYE, Rotation.from_euler("xyz", [0.3, -1.0, 2.0]).as_matrix()])
def test_known_cases_anywhere_and_however_turned(turn: np.ndarray) -> None:
    quarter, eighth = from_yaw(math.pi / 2)[:3, :3], from_yaw(math.pi / 4)[:3, :3]
    cube = one((0, 0, 0), (2, 2, 2))
    cases = [
        (cube, 8.0),
        (one((1, 1, 1), (2, 2, 2)), 1.0),
        (one((0.5, 0, 0), (0.5, 0.25, 1)), 0.125),  # contained
        (one((0.75, 0, 0), (0.5, 2, 2)), 2.0),  # contained, three faces in common
        (one((0, 0, 0), (10, 10, 10)), 8.0),
        (one((0, 0, 0), (2, 2, 2), quarter), 8.0),
        (one((0, 0, 0), (2, 2, 2), eighth), 8 * 2 * (math.sqrt(2) - 1)),  # a regular octagon's prism
        (one((0, 0, 1), (2, 2, 2), eighth), 8 * (math.sqrt(2) - 1)),
        (one((0, 0, 0), (1e-6, 4, 4)), 4e-6),
        (one((2, 0, 0), (2, 2, 2)), 0.0),  # a face in common
        (one((2, 2, 0), (2, 2, 2)), 0.0),  # an edge
        (one((2, 2, 2), (2, 2, 2)), 0.0),  # a corner
        (one((1 + math.sqrt(2), 0, 0), (2, 2, 2), eighth), 0.0),  # an edge on a face
        (one((2.1, 0, 0), (2, 2, 2)), 0.0),
    ]
    move = compose(turn, np.array([3.0, -40.0, 0.7]) if turn is not EYE else np.zeros(3))
    for other, volume in cases:
        found = iou3d.overlap_pairs(cube.transformed(move), other.transformed(move))[0]
        assert found == pytest.approx(volume, rel=1e-11, abs=1e-13)
        if volume == 0 and turn is EYE:
            assert found == 0.0
        union = 8 + other.volumes()[0] - volume
        found = iou3d.iou_pairs(other.transformed(move), cube.transformed(move))[0]
        assert found == pytest.approx(volume / union, rel=1e-11, abs=1e-13)


@given(seeds, st.floats(0.0, 1e-5))
@settings(max_examples=50)
def test_almost_the_same_box_has_an_iou_of_almost_one(seed: int, off: float) -> None:
    rng = np.random.default_rng(seed)
    a = some_boxes(rng, 20)
    turn = Rotation.from_rotvec(rng.normal(size=(20, 3)) * off).as_matrix()
    b = OrientedBoxes(a.center + rng.normal(size=(20, 3)) * off, a.size, turn @ a.rotation)
    iou = iou3d.iou_pairs(a, b)
    assert (iou <= 1).all()
    assert (iou >= 1 - 1e-12 - 500 * off / a.size.min()).all()


@given(seeds)
@settings(max_examples=30)
def test_symmetry_bounds_and_the_matrix(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = some_boxes(rng, 12), some_boxes(rng, 9)
    iou, overlap = iou3d.iou_matrix(a, b), iou3d.overlap_matrix(a, b)
    np.testing.assert_array_equal(iou, iou3d.iou_matrix(b, a).T)
    assert ((iou >= 0) & (iou <= 1)).all()
    assert (overlap <= np.minimum(a.volumes()[:, None], b.volumes()[None])).all()
    first = OrientedBoxes(a.center[:9], a.size[:9], a.rotation[:9])
    np.testing.assert_array_equal(iou3d.iou_pairs(first, b), np.diagonal(iou[:9]))
    assert 0 < (iou > 0).sum() < 108  # the examples are not all of one kind


@given(seeds, st.floats(0.05, 20.0))
@settings(max_examples=30)
def test_moving_and_scaling_both_boxes_changes_nothing(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = some_boxes(rng, 20), some_boxes(rng, 20)
    T = compose(Rotation.random(random_state=rng).as_matrix(), rng.uniform(-20, 20, 3))
    iou = iou3d.iou_pairs(a, b)
    np.testing.assert_allclose(iou3d.iou_pairs(a.transformed(T), b.transformed(T)), iou, atol=1e-10)
    scaled = [OrientedBoxes(x.center * scale, x.size * scale, x.rotation) for x in (a, b)]
    np.testing.assert_allclose(iou3d.iou_pairs(*scaled), iou, atol=1e-11)
    # The same solids by other names: axes exchanged, two of them turned round.
    named = OrientedBoxes(b.center, b.size[:, [1, 2, 0]], b.rotation[:, :, [1, 2, 0]] * [-1, 1, -1])
    np.testing.assert_allclose(iou3d.iou_pairs(a, named), iou, atol=1e-12)


def test_a_crumb_on_or_in_a_mountain() -> None:
    rng, n = np.random.default_rng(3), 500
    turned, own = (Rotation.random(n, random_state=rng).as_matrix() for _ in "ab")
    large, size = np.full((n, 3), 2000.0), rng.uniform(0.005, 0.02, (n, 3))
    up = np.einsum("ni,nij->nj", turned[:, :, 2], own)
    place = rng.uniform(-900, 900, (n, 3))
    for height, share in ((1000 + 1e-9 + (np.abs(up) * size).sum(axis=1) / 2, 0.0), (place[:, 2], 1.0)):
        center = np.einsum("nij,nj->ni", turned, np.c_[place[:, :2], height])
        mountain, crumb = OrientedBoxes(np.zeros((n, 3)), large, turned), OrientedBoxes(center, size, own)
        found = iou3d.overlap_pairs(mountain, crumb) / crumb.volumes()
        np.testing.assert_allclose(found, share, atol=1e-9)
        assert share or not found.any()


@given(seeds)
@settings(max_examples=20)
def test_the_parts_of_a_cut_box_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = some_boxes(rng, 20), some_boxes(rng, 20)
    parts = []
    for side in (-0.25, 0.25):
        half = a.size * [0.5, 1, 1]
        parts.append(OrientedBoxes(a.center + side * a.rotation[:, :, 0] * a.size[:, :1], half, a.rotation))
    together = sum(iou3d.overlap_pairs(part, b) for part in parts)
    np.testing.assert_allclose(together, iou3d.overlap_pairs(a, b), rtol=1e-9, atol=1e-12)


def test_threads_and_chunks_change_nothing() -> None:
    rng = np.random.default_rng(1)
    a, b = some_boxes(rng, 150), some_boxes(rng, 131)
    np.testing.assert_array_equal(iou3d.iou_matrix(a, b, threads=1), iou3d.iou_matrix(a, b, threads=3))
    assert iou3d._CHUNK < 150 * 131
    empty = OrientedBoxes.of([])
    assert iou3d.iou_matrix(a, empty).shape == (150, 0)
    assert iou3d.iou_pairs(empty, empty).shape == (0,)


@pytest.mark.parametrize("size", [(0, 1, 1), (0, 0, 1), (0, 0, 0)])
def test_a_box_without_a_volume_shares_nothing(size: tuple[float, ...]) -> None:
    flat = one((0, 0, 0), size)
    assert iou3d.iou_pairs(flat, flat).tolist() == [0.0]
    assert iou3d.iou_matrix(flat, one((0, 0, 0), (2, 2, 2))).tolist() == [[0.0]]


def test_pairs_need_as_many_boxes_on_either_side() -> None:
    rng = np.random.default_rng(2)
    with pytest.raises(ContractError, match=r"(?s)as many boxes.*2 boxes.*3.*matrix"):
        iou3d.iou_pairs(some_boxes(rng, 2), some_boxes(rng, 3))


@given(seeds)
@settings(max_examples=30)
def test_axis_aligned_iou_is_the_exact_one_of_upright_boxes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (np.concatenate([rng.normal(size=(20, 3)) * 0.5, rng.uniform(0.1, 2, (20, 3))], 1) for _ in "ab")
    exact = iou3d.iou_pairs(
        OrientedBoxes.upright(a[:, :3], a[:, 3:]), OrientedBoxes.upright(b[:, :3], b[:, 3:])
    )
    np.testing.assert_allclose(iou3d.center_size_iou(a, b), exact, atol=1e-12)


def test_corner_extents_as_scanrefer_scores_them() -> None:
    eighth = from_yaw(math.pi / 4)[:3, :3]
    turned, cube = one((0, 0, 0), (2, 2, 2), eighth)[0].corners(), one((0, 0, 0), (2, 2, 2))[0].corners()
    assert iou3d.corner_extent_iou(turned, cube) == pytest.approx(0.5)  # its extent has twice the area
    shuffled = np.random.default_rng(0).permutation(turned)
    assert iou3d.corner_extent_iou(shuffled, cube) == iou3d.corner_extent_iou(turned, cube)
    # A true 0.25 misses the published threshold, a box of 0.1 mm against itself has 1e-4.
    quarter = np.array([1.0, 0, 0, 4, 1, 1]), np.array([-0.5, 0, 0, 1, 1, 1])
    assert iou3d.center_size_iou(*quarter) == 0.25
    assert iou3d.center_size_iou(*quarter, iou3d.SCANREFER_EPSILON_M3) < 0.25
    tiny = np.array([0, 0, 0, 1e-4, 1e-4, 1e-4])
    assert iou3d.center_size_iou(tiny, tiny) == 1.0
    assert iou3d.center_size_iou(tiny, tiny, iou3d.SCANREFER_EPSILON_M3) == pytest.approx(1e-4, rel=1e-3)


def test_axis_aligned_edges_of_the_definition() -> None:
    flat = np.array([0.0, 0, 0, 0, 1, 1])
    assert iou3d.center_size_iou(flat, flat) == 0.0
    touching = np.array([[0.0, 0, 0, 1, 1, 1]]), np.array([[1.0, 0, 0, 1, 1, 1]])
    assert iou3d.center_size_iou(*touching).tolist() == [0.0]
    good = np.array([[0.0, 0, 0, 1, 1, 1]] * 3)
    for bad in (np.nan, -1.0):
        wrong = good.copy()
        wrong[2, 4] = bad
        with pytest.raises(ContractError, match=r"(?s)second box.*row 2"):
            iou3d.center_size_iou(good, wrong)
