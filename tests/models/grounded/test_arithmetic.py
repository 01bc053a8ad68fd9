"""Arithmetic of a reply: equal to Python's own where it is allowed, refused where it is not."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.models.grounded.arithmetic import UnreadableError, Values, evaluate, holds, numbers_in

BOX = Values({"bbox_0.x": 1.5, "d": 2.0})


def _or_nan(function: Callable[..., float], *values: float) -> float:
    try:
        return float(function(*values))
    except ArithmeticError:
        return math.nan


BINARY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
numbers = st.integers(0, 9999).map(lambda n: (f"{n / 100:.2f}", n / 100))


def _joined(parts: tuple[tuple[str, float], str, tuple[str, float]]) -> tuple[str, float]:
    (a, x), sign, (b, y) = parts
    return f"({a} {sign} {b})", _or_nan(BINARY[sign], x, y)


# Text and value side by side, the value worked out while the text is put together.
expressions = st.recursive(
    numbers | numbers.map(lambda n: (f"(-{n[0]})", -n[1])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(_joined),
        inner.map(lambda e: (f"({e[0]})**2", _or_nan(lambda x: x**2, e[1]))),
        inner.map(lambda e: (f"abs({e[0]})", abs(e[1]))),
        st.tuples(inner, inner).map(
            lambda t: (f"min({t[0][0]}, {t[1][0]})", t[0][1] + min(0.0, t[1][1] - t[0][1]))
        ),
        st.tuples(inner, inner).map(lambda t: (f"atan2({t[0][0]}, {t[1][0]})", math.atan2(t[0][1], t[1][1]))),
    ),
    max_leaves=8,
)


@given(expressions)
def test_values_are_those_of_python(pair: tuple[str, float]) -> None:
    text, expected = pair
    if "/" in text and not math.isfinite(expected):
        return  # a division by zero somewhere inside; what is refused has its own test
    assert evaluate(text) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert evaluate(text.replace("**", "^")) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sqrt((1.20-0.35)^2 + (-0.4)^2)", math.hypot(0.85, 0.4)),
        ("\u221a(3\u00b2 + 4\u00b2)", 5.0), ("2 \u00d7 3 \u2212 1 \u00f7 2", 5.5),
        ("deg(atan2(1, 1))", 45.0), ("rad(180)", math.pi),
        ("floor(2.13 + 0.5)", 2.0), ("bbox_0.x * d", 3.0), ("(31.83 + 360) % 360", 31.83),
        ("12 - 31.83 // 30", 11.0), ("-2^2", -4.0), ("+ 7", 7.0), ("max(1, 2, 3)", 3.0),
    ],
)  # fmt: skip
def test_forms(text: str, value: float) -> None:
    assert evaluate(text, BOX) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "e", "pi", "d2", "x", "bbox_1.x", "bbox_0", "bbox_0.__class__", "d.x", "d.real", "True",
        "None", "__import__('os')", "abs.__self__", "abs", "eval(1)", "print(1)", "open(1)", "().x", "[1]",
        "{1}", "'1'", "lambda: 1", "d if d else d", "1 < 2", "1 and 2", "not 1", "~1", "1 if 1 else 2",
        "(1, 2)", "min(*d)", "sqrt(x=1)", "sqrt()", "sqrt(1, 2)", "atan2(1)", "min(1)", "1j", "0x10", "1e5",
        "1_000", "1.2.3", "2d", "2(3)", "sqrt(-1)", "1/0", "0**-1", "(-8)**0.5", "9**9**9", "1//0", "5 % 0",
        "99999.0**99999", "floor(1e999)", "(" * 300 + "1" + ")" * 300, "-" * 300 + "1", "1+" * 300 + "1",
        "d := 3", "d; d", "d = 3", "1 == 1", "f(1)", "sqrt.x", "@", "#1", "1 #", "0 0", "\u0661",
        "max(" + "1," * 20 + "1)",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        evaluate(text, BOX)


@given(st.text(max_size=60) | st.text(alphabet="0123456789.+-*/()^ dxsqrt,<>%_", max_size=60))
def test_no_text_does_anything_but_give_a_finite_number(text: str) -> None:
    try:
        value = evaluate(text, BOX)
    except UnreadableError:
        return
    assert math.isfinite(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.25 < 2.20", True),
        ("d > 2", False),
        ("d >= 2", True),
        ("abs(-3) <= 2.9", False),
        ("2 \u2264 2", True),
    ],
)
def test_comparisons(text: str, value: bool) -> None:
    assert holds(text, BOX) is value


@pytest.mark.parametrize("text", ["1", "1 < 2 < 3", "1 == 1", "1 < ", "x < 1", "1 != 2", "1 <> 2"])
def test_what_is_no_comparison(text: str) -> None:
    with pytest.raises(UnreadableError):
        holds(text)


def test_numbers_as_they_are_written_and_numbers_replaced() -> None:
    text = "atan2(-5.81, 9.50) + 0.555 - (-0.5)"
    assert sorted(numbers_in(text)) == ["-0.5", "-5.81", "0.555", "9.50"]
    assert evaluate("2 * 0.555 + (-0.555)", Values(literals={"0.555": 1.0})) == pytest.approx(2 - 1)
    assert evaluate("2 * 0.555 + (-0.555)", Values(literals={"-0.555": 7.0})) == pytest.approx(2 * 0.555 + 7)
