import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.geometry.voxels import voxel_keys

coordinate = st.floats(-1000, 1000)


@given(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=2, max_size=30).map(np.array))
def test_keys_are_equal_exactly_for_points_of_one_voxel(p: np.ndarray) -> None:
    keys = voxel_keys(p, 0.25)  # a power of two: the cells computed here are exact
    cells = [tuple(int(c // 0.25) for c in row) for row in p]
    assert (keys >= 0).all()
    for i in range(len(p)):
        for j in range(len(p)):
            assert (keys[i] == keys[j]) == (cells[i] == cells[j])


def test_zero_is_a_border_like_any_other() -> None:
    keys = voxel_keys(np.array([[-0.01, 0.0, 0.0], [0.01, 0.0, 0.0], [0.09, 0.05, 0.05]]), 0.1)
    assert keys[0] != keys[1] == keys[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2e5])
def test_points_without_a_voxel_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="no voxel"):
        voxel_keys(np.array([[0.0, 0.0, bad]]), 0.1)


def test_the_size_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        voxel_keys(np.zeros((1, 3)), 0.0)
