"""Every reader of numbers on the replies that tell them apart, and the borders of relative accuracy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.evaluation.metrics import numbers
from vantage.evaluation.metrics.numbers import mean_relative_accuracy as mra


@pytest.mark.parametrize(
    ("reply", "token", "first", "last", "ours"),
    [
        ("4", 4, 4, 4, 4), ("4.", 4, 4, 4, 4), ("1e2", 100, 1, 2, None), ("12.5m", None, 12.5, 12.5, 12.5),
        ("180cm", None, 180, 180, 180), ("four", None, 4, None, 4), ("twenty-one", None, 21, None, 21),
        ("1,200", None, 1, 200, 1200), ("10-12", None, 10, -12, None), ("10 to 12", 10, 10, 12, None),
        ("There are 4 chairs", None, 4, 4, 4), ("", None, None, None, None), ("many", None, None, None, None),
        ("2 or 3", 2, 2, 3, None), ("3 sofas and 3 chairs", 3, 3, 3, 3), ("2 sofas, 3 chairs", 2, 2, 3, None),
        ("someone", None, None, None, None), (" 4", None, 4, 4, 4), ("-3.5", -3.5, -3.5, -3.5, -3.5),
    ],
)  # fmt: skip
def test_readers(
    reply: str, token: float | None, first: float | None, last: float | None, ours: float | None
) -> None:
    assert numbers.whole_token(reply) == token
    assert numbers.first_number(reply) == first
    assert numbers.last_number(reply) == last
    assert numbers.only_number(reply) == ours


@pytest.mark.parametrize(
    ("reply", "metres"),
    [
        ("180 cm", 1.8), ("1.8m", 1.8), ("about 3 feet", 0.9144), ("5 inches", 0.127), ("2.5", 2.5),
        ("6 ft or 7 ft", None), ("box 2 is 1.5 meters wide", 1.5), ("1 m is 100 cm", 1.0), ("none", None),
    ],
)  # fmt: skip
def test_lengths(reply: str, metres: float | None) -> None:
    assert numbers.only_length_m(reply) == (None if metres is None else pytest.approx(metres))


@pytest.mark.parametrize(
    ("predicted", "truth", "score"),
    [
        (1.0, 1.0, 1.0), (1.1, 1.0, 0.9), (90.0, 100.0, 0.9), (1.9, 2.0, 1.0), (0.5, 1.0, 0.1),
        (1.5, 1.0, 0.1), (0.49, 1.0, 0.0), (3.0, 1.0, 0.0), (None, 1.0, 0.0), (float("nan"), 1.0, 0.0),
        (float("inf"), 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0),
    ],
)  # fmt: skip
def test_relative_accuracy_at_its_borders(predicted: float | None, truth: float, score: float) -> None:
    assert mra(predicted, truth) == pytest.approx(score)


@given(st.floats(0.01, 1e4), st.floats(0, 2))
def test_relative_accuracy_is_monotone_and_free_of_units(truth: float, off: float) -> None:
    here, farther = mra(truth * (1 + off), truth), mra(truth * (1 + 1.2 * off + 1e-9), truth)
    assert 0 <= farther <= here <= 1
    assert abs(mra(2 * truth * (1 + off), 2 * truth) - here) < 1e-12  # a factor of two rounds nothing


def test_a_quarter_with_its_ends() -> None:
    assert [numbers.within_quarter(p, 4.0) for p in (3.0, 5.0, 2.99, 5.01, None)] == [
        True,
        True,
        False,
        False,
        False,
    ]
