"""Intervals against SciPy and against simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy.stats import binomtest

from vantage.evaluation.statistics import gain_between, newcombe, paired_gain, wilson


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts: tuple[int, int]) -> None:
    k, n = counts
    ours, theirs = wilson(k, n), binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert ours.percent == pytest.approx(100 * k / n)
    assert (ours.low, ours.high) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1e-6)


def test_wilson_of_nothing_knows_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 100.0)
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson(5, 4)


def _rooms(rng: np.random.Generator, k: int, each: int, gain: float) -> tuple[np.ndarray, ...]:
    """Scores of two arms over `k` rooms whose own difficulty makes their questions alike."""
    rooms = np.repeat(np.arange(k), each)
    easy = np.repeat(rng.uniform(-0.25, 0.25, k), each)
    base = (rng.random(k * each) < 0.5).astype(float)
    ours = (rng.random(k * each) < 0.5 + gain + easy).astype(float)
    return ours, base, rooms


def test_the_interval_covers_the_truth_although_questions_of_a_room_are_alike() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(200):
        ours, base, rooms = _rooms(rng, 40, 12, 0.1)
        gain = paired_gain(ours, base, rooms, rng, resamples=400)
        hits += gain.low <= 10 <= gain.high
    assert 0.88 <= hits / 200 <= 0.99


def test_same_seed_same_interval_and_order_of_questions_does_not_matter() -> None:
    ours, base, rooms = _rooms(np.random.default_rng(0), 20, 6, 0.2)
    one = paired_gain(ours, base, rooms, np.random.default_rng(5))
    two = paired_gain(ours[::-1], base[::-1], rooms[::-1], np.random.default_rng(5))
    assert one == two
    assert one.points == pytest.approx(100 * (ours - base).mean())
    assert (one.n, one.rooms) == (120, 20)


def test_swapping_the_arms_mirrors_the_gain() -> None:
    ours, base, rooms = _rooms(np.random.default_rng(1), 20, 6, 0.2)
    there = paired_gain(ours, base, rooms, np.random.default_rng(5))
    back = paired_gain(base, ours, rooms, np.random.default_rng(5))
    assert (back.points, back.low, back.high) == pytest.approx((-there.points, -there.high, -there.low))


def test_one_room_or_none_tells_nothing() -> None:
    ones = np.ones(4)
    alone = paired_gain(ones, 0 * ones, np.zeros(4), np.random.default_rng(0))
    assert (alone.points, alone.low, alone.high) == (100.0, -100.0, 100.0)
    none = paired_gain(ones[:0], ones[:0], ones[:0], np.random.default_rng(0))
    assert (none.points, none.low, none.high, none.n) == (0.0, -100.0, 100.0, 0)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises((ValueError, TypeCheckError), match="baseline"):
        paired_gain(np.ones(3), np.ones(2), np.zeros(3), np.random.default_rng(0))


def test_newcombe_as_published() -> None:
    """Table II of the paper, method 10."""
    for first, second, low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ):
        found = newcombe(wilson(*first), wilson(*second))
        assert found == pytest.approx((100 * low, 100 * high), abs=0.01)


def test_the_gain_between_questions_of_two_kinds() -> None:
    rng, hits = np.random.default_rng(5), 0
    for _ in range(150):
        first, _, rooms = _rooms(rng, 30, 6, 0.2)
        second, _, others = _rooms(rng, 30, 10, 0.0)
        gain = gain_between(first, rooms, second, others, rng, 300)
        hits += gain.low <= 20 <= gain.high
        assert gain.points == pytest.approx(100 * (first.mean() - second.mean()))
    assert hits / 150 >= 0.92
    assert (gain.n, gain.rooms) == (30 * 16, 30)


def test_few_questions_that_are_all_right_do_not_make_a_narrow_interval() -> None:
    rng = np.random.default_rng(0)
    rooms, others = np.arange(3), np.arange(200) % 40
    gain = gain_between(np.ones(3), rooms, (np.arange(200) % 2).astype(float), others, rng, 500)
    assert gain.points == 50 and gain.low < 0 <= 50 <= gain.high


def test_the_gain_between_is_as_wide_as_can_be_with_one_room_or_nothing() -> None:
    rng = np.random.default_rng(0)
    one = gain_between(np.ones(4), np.zeros(4, int), np.zeros(4), np.arange(4), rng, 100)
    assert (one.points, one.low, one.high) == (100, -100, 100)
    none = gain_between(np.ones(0), np.zeros(0, int), np.zeros(4), np.arange(4), rng, 100)
    assert (none.points, none.low, none.high, none.n) == (0, -100, 100, 4)
