"""Tests of paired differences against SciPy, against enumeration in fractions, and against simulation."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy.stats import binomtest

from vantage.evaluation.significance import compare, detectable_points, discordant, holm, mcnemar, shown_p

counts = st.integers(0, 300)


@given(counts, counts)
def test_mcnemar_is_scipys_binomial_test(a: int, b: int) -> None:
    expected = binomtest(a, a + b).pvalue if a + b else 1.0
    assert mcnemar(a, b) == pytest.approx(expected, rel=1e-9)
    assert mcnemar(a, b) == mcnemar(b, a)


def test_mcnemar_is_the_share_of_sign_patterns_at_least_as_far_from_even() -> None:
    for n in range(1, 11):
        for ours in range(n + 1):
            far = abs(2 * ours - n)
            signs = product((-1, 1), repeat=n)
            extreme = sum(abs(sum(pattern)) >= far for pattern in signs)
            assert mcnemar(ours, n - ours) == pytest.approx(extreme / 2**n, rel=1e-12)


def test_mcnemar_of_nothing_and_of_what_cannot_be() -> None:
    assert mcnemar(0, 0) == 1.0
    with pytest.raises(ValueError, match="-1"):
        mcnemar(-1, 3)


def test_false_findings_are_no_more_than_alpha() -> None:
    draw = np.random.default_rng(0)
    ours = draw.binomial(60, 0.5, size=4000)
    assert np.mean([mcnemar(int(a), 60 - int(a)) <= 0.05 for a in ours]) <= 0.05


def test_holm_by_hand() -> None:
    corrected = holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"a": 0.06, "b": 0.03, "c": 0.06, "d": 0.02})
    assert list(corrected) == ["a", "b", "c", "d"]
    assert holm({}) == {}
    assert holm({"alone": 0.03}) == {"alone": 0.03}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_largest_bonferroni_over_the_sets_that_closure_tests(values: list[float]) -> None:
    """A hypothesis falls if every set that holds it falls: p of a set is its size times its least p."""
    k = len(values)
    sets = [s for s in product((False, True), repeat=k) if any(s)]
    corrected = holm(dict(enumerate(values)))
    for i in range(k):
        of_sets = [
            sum(s) * min(p for p, inside in zip(values, s, strict=True) if inside) for s in sets if s[i]
        ]
        assert corrected[i] == pytest.approx(min(1.0, max(of_sets)))


def exact_power(n: int, differing: Fraction, gain: Fraction, alpha: Fraction) -> Fraction:
    """Every outcome of n items, weighed: right only here, right only there, or alike."""
    here, there = (differing + gain) / 2, (differing - gain) / 2
    total = Fraction(0)
    for a in range(n + 1):
        for b in range(n - a + 1):
            tail = sum(comb(a + b, i) for i in range(min(a, b) + 1))
            if a + b and Fraction(2 * tail, 2 ** (a + b)) <= alpha:
                ways = comb(n, a) * comb(n - a, b)
                total += ways * here**a * there**b * (1 - differing) ** (n - a - b)
    return total


@pytest.mark.parametrize(
    ("n", "differing"),
    [(6, 0), (6, 6), (7, 3), (8, 8), (9, 4), (12, 0), (18, 9), (25, 25), (30, 12)],
)
def test_the_detectable_difference_is_where_the_enumerated_power_passes_the_mark(
    n: int, differing: int
) -> None:
    points = detectable_points(n, differing)
    assert points is not None
    share, step = Fraction(points) / 100, Fraction(1, 5000)
    alpha, power = Fraction(1, 20), Fraction(4, 5)
    for gain, enough in ((share, True), (share - step, False)):
        around = max(gain, Fraction(differing, n))
        assert (exact_power(n, around, gain, alpha) >= power) == enough


def test_simulated_models_the_detectable_difference_apart_are_told_apart_four_times_in_five() -> None:
    n, share = 600, 0.3
    points = detectable_points(n, int(n * share))
    assert points is not None
    draw = np.random.default_rng(1)
    split = [(share + points / 100) / 2, (share - points / 100) / 2, 1 - share]
    tables = draw.multinomial(n, split, size=4000)
    assert np.mean([mcnemar(int(a), int(b)) <= 0.05 for a, b, _ in tables]) == pytest.approx(0.8, abs=0.025)


def test_five_items_tell_nothing_and_six_only_extremes() -> None:
    assert [detectable_points(n, n) for n in range(6)] == [None] * 6
    six = detectable_points(6, 0)
    assert six is not None
    # All six must fall to one side, so the difference to the sixth power is the power.
    assert six == pytest.approx(100 * 0.8 ** (1 / 6), abs=0.01)


@given(st.integers(6, 400), st.floats(0, 1))
def test_more_items_see_less_and_a_higher_bar_needs_more(n: int, share: float) -> None:
    differing = round(n * share)
    few, many = detectable_points(n, differing), detectable_points(4 * n, 4 * differing)
    assert few is not None and many is not None
    assert many < few
    strict = detectable_points(n, differing, alpha=0.01)
    assert strict is None or strict >= few


def test_a_large_benchmark_is_near_the_textbook_formula() -> None:
    for n, differing in ((4675, 900), (100_000, 20_000)):
        points = detectable_points(n, differing)
        assert points is not None
        textbook = 100 * (1.959964 * np.sqrt(differing / n) + 0.841621 * np.sqrt(differing / n)) / np.sqrt(n)
        assert points == pytest.approx(textbook, rel=0.03)
    with pytest.raises(ValueError, match="7 of 6"):
        detectable_points(6, 7)


def test_comparisons_made_together_are_corrected_together() -> None:
    ones, zeros = np.ones(8), np.zeros(8)
    found = compare({"gain": (ones, zeros), "same": (ones, ones), "loss": (zeros, ones)})
    assert (found["gain"].ours_only, found["gain"].theirs_only, found["loss"].theirs_only) == (8, 0, 8)
    assert found["gain"].p == pytest.approx(2 / 2**8)
    assert found["gain"].p_holm == pytest.approx(3 * 2 / 2**8)
    assert (found["same"].p, found["same"].p_holm, found["same"].n) == (1.0, 1.0, 8)
    record = found["gain"].record()
    assert record["p"] == 0.00781 and record["detectable_points"] == round(record["detectable_points"], 3)


def test_only_right_and_wrong_of_the_same_items_are_compared() -> None:
    assert discordant(np.array([1.0, 1, 0, 0]), np.array([0.0, 1, 0, 1])) == (1, 1)
    with pytest.raises(ValueError, match="0 or 1"):
        discordant(np.array([0.5]), np.array([1.0]))
    with pytest.raises((ValueError, TypeCheckError)):
        discordant(np.ones(3), np.ones(2))


def test_p_for_people() -> None:
    assert (shown_p(0.0), shown_p(0.0123), shown_p(1.0)) == ("p < 0.001", "p = 0.012", "p = 1.000")
