import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vantage.core.seeds import fraction, priority, rng


def test_values_are_frozen() -> None:
    """Splits and questions follow these numbers: another value would move every room."""
    assert priority("split", "scene0000") == 2163932003536544391
    assert priority(7, "path") != priority("7", "path")


@given(st.text(), st.integers(0, 2**40))
def test_fraction_lies_in_the_unit_interval(name: str, number: int) -> None:
    assert 0.0 <= fraction(name, number) < 1.0


def test_fractions_are_uniform() -> None:
    values = np.array([fraction("split", f"scene{i:04d}") for i in range(4000)])
    histogram, _ = np.histogram(values, bins=10, range=(0, 1))
    assert abs(histogram - 400).max() < 5 * np.sqrt(400)


def test_generators_repeat_and_differ_by_name() -> None:
    assert rng(7, "a", 1).integers(0, 2**60) == rng(7, "a", 1).integers(0, 2**60)
    assert rng(7, "a", 1).integers(0, 2**60) != rng(7, "a", 2).integers(0, 2**60)
