"""Scores as functions of sums, and their bootstrap, beside loops."""

from __future__ import annotations

import numpy as np
import pytest

from vantage.evaluation.metrics.bleu import bleu_of_sums
from vantage.evaluation.metrics.measure import Measure, by_group, macro_of, mean_of
from vantage.evaluation.statistics import bootstrap_intervals, resampled_sums

VALUES = np.array([1.0, 0.0, 0.5, 1.0])
FIRST, LAST, NONE = (np.array(m, dtype=bool) for m in ([1, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]))


def test_means_and_groups() -> None:
    found = by_group("em", VALUES, {"a": FIRST, "b": LAST, "c": NONE})
    assert [found[k].value for k in ("em", "em.a", "em.b")] == [0.625, 0.5, 1.0]
    assert np.isnan(found["em.c"].value)
    assert [m.n for m in found.values()] == [4, 3, 1, 0]
    np.testing.assert_array_equal(found["em"].per_item, VALUES)
    assert found["em.a"].per_item is None, "a slice has the values of the whole"
    np.testing.assert_array_equal(mean_of(VALUES, FIRST).per_item, [1.0, 0.0, 0.5, np.nan])
    assert macro_of([mean_of(VALUES, m) for m in (FIRST, LAST, NONE)]).value == 0.75, (
        "a group without items does not count"
    )
    assert np.isnan(macro_of([]).value)


def test_samples_are_drawn_with_replacement_and_summed() -> None:
    sums = resampled_sums(np.eye(6), np.random.default_rng(0), 3000)
    np.testing.assert_array_equal(sums.sum(axis=1), 6)
    assert (sums == sums.astype(int)).all()
    np.testing.assert_allclose(sums.mean(axis=0), 1.0, atol=0.08)
    np.testing.assert_allclose(sums.var(axis=0), 5 / 6, atol=0.08)  # binomial(6, 1/6)
    odd = resampled_sums(np.eye(3), np.random.default_rng(0), 50_001)  # more than one block, the last short
    assert len(odd) == 50_001 and (odd.sum(axis=1) == 3).all()


def test_the_interval_of_a_mean_is_the_textbook_one() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(2.0, 3.0, 2500)
    ((low, high),) = bootstrap_intervals([mean_of(x)], np.arange(2500), rng, 4000)  # type: ignore[misc]
    half = 1.96 * x.std() / 50
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.02)


def test_scenes_are_drawn_not_items() -> None:
    x = np.repeat(np.random.default_rng(7).normal(size=200), 16)
    scenes = np.repeat(np.arange(200), 16)
    pair = [
        bootstrap_intervals([mean_of(x)], ids, np.random.default_rng(0), 2000)[0]
        for ids in (scenes, np.arange(3200))
    ]
    wide, narrow = (high - low for low, high in pair)  # type: ignore[misc]
    assert wide / narrow == pytest.approx(4, rel=0.1)


def test_any_function_of_sums_and_what_cannot_be_known() -> None:
    columns = np.random.default_rng(0).uniform(1, 9, (30, 10))
    bleu = Measure(columns, lambda sums: bleu_of_sums(sums)[..., 3], None, 30)
    lone = mean_of(np.ones(30), np.arange(30) == 4)
    found = bootstrap_intervals([bleu, lone], np.arange(30), np.random.default_rng(0), 500)
    low, high = found[0]  # type: ignore[misc]
    assert low < bleu.value < high
    assert found[1] is None, "one item tells no interval"
    assert bootstrap_intervals([lone], np.zeros(30), np.random.default_rng(0), 500) == [None]
