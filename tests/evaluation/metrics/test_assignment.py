"""The best assignment beside SciPy's and beside trying all."""

from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from vantage.evaluation.metrics.assignment import best_assignment


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (7, 7), (4, 20), (30, 30), (0, 3), (3, 0)])
@pytest.mark.parametrize("ties", [False, True])
def test_as_good_as_scipy(shape: tuple[int, int], ties: bool) -> None:
    rng = np.random.default_rng(shape[0] * 100 + shape[1])
    for _ in range(20):
        gain = rng.integers(0, 3, shape).astype(float) if ties else rng.normal(size=shape)
        rows, columns = best_assignment(gain)
        assert len(set(rows)) == len(set(columns)) == len(rows) == min(shape)
        assert (np.diff(rows) > 0).all()
        assert gain[rows, columns].sum() == pytest.approx(
            gain[linear_sum_assignment(gain, maximize=True)].sum()
        )


def test_the_total_counts_not_the_best_pair() -> None:
    gain = np.array([[0.9, 0.8], [0.8, 0.0]])
    rows, columns = best_assignment(gain)
    assert columns[np.argsort(rows)].tolist() == [1, 0]
    every = [sum(gain[i, p[i]] for i in range(2)) for p in permutations(range(2))]
    assert gain[rows, columns].sum() == max(every)
