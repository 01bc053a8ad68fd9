"""Run lengths: round trips, and masks that pycocotools packed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vantage.core.errors import ContractError
from vantage.lift.run_lengths import mask_of_runs, runs_of_mask


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000))
@settings(max_examples=60)
def test_round_trip(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.4
    runs = runs_of_mask(mask)
    assert sum(runs) == mask.size
    assert all(run > 0 for run in runs[1:])
    np.testing.assert_array_equal(mask_of_runs(runs, (height, width)), mask)


def test_runs_go_down_the_columns() -> None:
    mask = mask_of_runs([1, 2, 3], (3, 2))
    assert mask.tolist() == [[False, False], [True, False], [True, False]]
    assert runs_of_mask(np.ones((2, 2), dtype=bool)) == [0, 4]
    assert runs_of_mask(np.zeros((2, 2), dtype=bool)) == [4]


def test_masks_that_pycocotools_packed() -> None:
    noise = np.random.default_rng(0).random((7, 9)) < 0.4
    np.testing.assert_array_equal(mask_of_runs("2131130LM0011OO01011NO002000N00023", (7, 9)), noise)
    ramp = np.tril(np.ones((70, 40))) > 0
    packed = "0V21" + "O1" * 38 + "O"
    np.testing.assert_array_equal(mask_of_runs(packed, (70, 40)), ramp)


@pytest.mark.parametrize(
    ("counts", "match"),
    [
        ([3, 2], "do not fit"),
        ([7, -1], "do not fit"),
        ([], "do not fit"),
        ("6 ", "not packed"),
        ("6~", "not packed"),
        ("P", "middle of a number"),
        ("5", "do not fit"),
    ],
)
def test_runs_that_are_none(counts: list[int] | str, match: str) -> None:
    with pytest.raises(ContractError, match=match):
        mask_of_runs(counts, (3, 2))
