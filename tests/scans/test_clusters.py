"""What hangs together."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.scans.clusters import CELL_M, LEAST_SHARE, hangs_together


def blob(count: int, center: tuple[float, float, float], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.1, 0.1, (count, 3)) + center


def test_strays_fall_away_and_halves_stay() -> None:
    parts = [blob(1000, (0, 0, 0)), blob(500, (1, 0, 0)), blob(60, (0, 2, 0)), blob(1, (9, 0, 0))]
    kept = hangs_together(np.concatenate(parts))
    assert [part.all() for part in np.split(kept, np.cumsum([len(p) for p in parts])[:-1])][:2] == [True] * 2
    assert not kept[1500:].any()


def test_a_thin_chain_hangs_together() -> None:
    chain = np.column_stack([np.arange(100) * CELL_M * 0.9, np.zeros(100), np.zeros(100)])
    assert hangs_together(np.concatenate([chain, blob(100, (0, 0, 0))])).all()


def test_few_points() -> None:
    assert hangs_together(np.zeros((0, 3))).shape == (0,)
    assert hangs_together(np.array([[5.0, -3.0, 1.0]])).tolist() == [True]


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_against_a_flood_fill(seed: int, count: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 0.6, (count, 3))
    cells = np.floor((points - points.min(axis=0)) / CELL_M).astype(int)
    cluster = np.full(count, -1)
    for k in range(count):
        stack = [k] if cluster[k] < 0 else []
        while stack:
            one = stack.pop()
            cluster[one] = k
            touching = (np.abs(cells - cells[one]).max(axis=1) <= 1) & (cluster < 0)
            stack += np.flatnonzero(touching).tolist()
            cluster[touching] = k
    sizes = np.bincount(cluster, minlength=count)
    expected = sizes[cluster] >= LEAST_SHARE * sizes.max()
    assert hangs_together(points).tolist() == expected.tolist()
