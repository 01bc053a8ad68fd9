from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import from_yaw
from vantage.geometry.voxels import voxel_keys
from vantage.lift.coverage import frame_voxels, greedy_coverage

sets = st.lists(st.frozensets(st.integers(0, 30), max_size=12), min_size=1, max_size=8)


def arrays(voxels: list[frozenset[int]]) -> list[np.ndarray]:
    return [np.array(sorted(keys), dtype=np.int64) for keys in voxels]


@given(sets, st.integers(1, 10))
def test_each_choice_is_the_best_left_and_its_gain_is_what_it_adds(
    voxels: list[frozenset[int]], k: int
) -> None:
    cover = greedy_coverage(arrays(voxels), k, [0] * len(voxels))
    assert len(cover.chosen) == len(set(cover.chosen)) == min(k, len(voxels))
    assert cover.voxels == len(frozenset().union(*voxels))
    covered: frozenset[int] = frozenset()
    left = set(range(len(voxels)))
    for index, gain in zip(cover.chosen, cover.gains, strict=True):
        best = max(len(voxels[i] - covered) for i in left)
        assert gain == len(voxels[index] - covered) == best
        assert index == min(i for i in left if len(voxels[i] - covered) == best)
        covered |= voxels[index]
        left.remove(index)


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
