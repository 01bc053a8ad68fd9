from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw
from vantage.geometry.voxels import voxel_keys
from vantage.lift.coverage import Coverage, frame_voxels, greedy_coverage

sets = st.lists(st.frozensets(st.integers(0, 30), max_size=12), min_size=1, max_size=8)


def arrays(voxels: list[frozenset[int]]) -> list[np.ndarray]:
    return [np.array(sorted(keys), dtype=np.int64) for keys in voxels]


def naive(
    voxels: list[frozenset[int]],
    k: int,
    priorities: list[int],
    given: tuple[int, ...] = (),
    wanted: frozenset[int] = frozenset(),
) -> Coverage:
    """By the definition: every candidate counted anew for every choice, what is wanted before the rest."""
    left, covered = dict(enumerate(voxels)), frozenset[int]()
    chosen: list[int] = []
    gains: list[int] = []
    while len(chosen) < len(given) or (left and len(chosen) < k):
        if len(chosen) < len(given):
            best = given[len(chosen)]
        else:
            new = {i: keys - covered for i, keys in left.items()}
            best = min(left, key=lambda i: (-len(new[i] & wanted), -len(new[i] - wanted), priorities[i], i))
        chosen.append(best)
        gains.append(len(left[best] - covered))
        covered |= left.pop(best)
    return Coverage(chosen, gains, len(frozenset().union(*voxels)))


@given(sets, st.integers(1, 10), st.data())
def test_the_choice_is_that_of_counting_every_candidate_anew(
    voxels: list[frozenset[int]], k: int, data: st.DataObject
) -> None:
    n = len(voxels)
    priorities = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    given = tuple(data.draw(st.lists(st.integers(0, n - 1), max_size=2, unique=True)))
    wanted = data.draw(st.frozensets(st.integers(0, 30), max_size=4))
    cover = greedy_coverage(arrays(voxels), k, priorities, given=given, wanted=wanted)
    assert cover == naive(voxels, k, priorities, given, wanted)
    assert len(cover.chosen) == len(set(cover.chosen)) == max(len(given), min(k, n))
    free = greedy_coverage(arrays(voxels), k, priorities)
    assert free == naive(voxels, k, priorities)
    assert all(a >= b for a, b in pairwise(free.gains)), "gains never rise"


@given(sets, st.integers(1, 8), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(
    voxels: list[frozenset[int]], k: int, random: Random
) -> None:
    priorities = random.sample(range(100), len(voxels))
    order = random.sample(range(len(voxels)), len(voxels))
    cover = greedy_coverage(arrays(voxels), k, priorities)
    turned = greedy_coverage(arrays([voxels[i] for i in order]), k, [priorities[i] for i in order])
    assert [order[i] for i in turned.chosen] == cover.chosen
    assert turned.gains == cover.gains


@given(sets, st.frozensets(st.integers(0, 30), max_size=4))
def test_what_is_wanted_is_covered_if_any_candidate_has_it(
    voxels: list[frozenset[int]], wanted: frozenset[int]
) -> None:
    can_be = wanted & frozenset().union(*voxels)
    cover = greedy_coverage(arrays(voxels), len(wanted), [0] * len(voxels), wanted=wanted)
    assert can_be <= frozenset().union(*(voxels[i] for i in cover.chosen))


def test_of_some_candidates_only_these_are_chosen_and_all_are_counted() -> None:
    voxels = arrays([frozenset({1, 2, 3}), frozenset({1}), frozenset({4})])
    cover = greedy_coverage(voxels, 3, [0, 0, 0], among=[1, 2])
    assert cover == Coverage([1, 2], [1, 1], 4)


@given(sets, st.integers(1, 4))
@settings(max_examples=50)
def test_greedy_reaches_its_share_of_the_optimum(voxels: list[frozenset[int]], k: int) -> None:
    k = min(k, len(voxels))
    best = max(len(frozenset().union(*chosen)) for chosen in combinations(voxels, k))
    assert sum(greedy_coverage(arrays(voxels), k, [0] * len(voxels)).gains) >= (1 - 1 / np.e) * best


def test_the_priorities_decide_ties_and_nothing_else() -> None:
    voxels = arrays([frozenset({1, 2}), frozenset({3, 4}), frozenset({1, 2, 3})])
    assert greedy_coverage(voxels, 3, [5, 1, 9]).chosen == [2, 1, 0]
    tied = arrays([frozenset({1}), frozenset({2}), frozenset({3})])
    assert greedy_coverage(tied, 3, [3, 1, 2]).chosen == [1, 2, 0]


def test_nothing_to_choose_from() -> None:
    assert greedy_coverage([], 8, []).chosen == []
    with pytest.raises(ValueError, match="priorities"):
        greedy_coverage([np.array([1])], 8, [])


def test_a_frame_covers_the_voxels_of_its_measured_pixels() -> None:
    camera = Pinhole(6, 5, 5.0, 5.0, 2.5, 2.0)
    depth = np.random.default_rng(0).uniform(0.5, 3.0, (5, 6)).astype(np.float32)
    depth[0, 0] = 0
    depth[1, 1] = np.nan
    pose = from_yaw(0.4, (1.0, 2.0, 0.0))
    points = []
    for v in range(5):
        for u in range(6):
            if np.isfinite(depth[v, u]) and depth[v, u] > 0:
                z = float(depth[v, u])
                points.append(pose @ [(u - 2.5) / 5 * z, (v - 2.0) / 5 * z, z, 1.0])
    expected = np.unique(voxel_keys(np.array(points)[:, :3], 0.1))
    assert frame_voxels(depth, camera, pose, 0.1, 1).tolist() == expected.tolist()
    some = frame_voxels(depth, camera, pose, 0.1, 2)
    assert 0 < len(some) < len(expected)
    assert set(some.tolist()) <= set(expected.tolist())


def test_an_empty_depth_image_covers_nothing() -> None:
    camera = Pinhole(6, 5, 5.0, 5.0, 2.5, 2.0)
    assert len(frame_voxels(np.zeros((5, 6), dtype=np.float32), camera, np.eye(4), 0.1, 9)) == 0
