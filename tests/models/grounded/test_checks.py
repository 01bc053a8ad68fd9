"""Steps of a reply, executed."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.geometry.camera import Pinhole
from vantage.models.grounded.checks import check
from vantage.models.grounded.conclusion import Conclusion, corrected
from vantage.models.grounded.view import EgoView, Located
from vantage.records.view_boxes import ViewBox

VIEW = EgoView.level(Pinhole(640, 480, 577.0, 578.0, 319.5, 239.5))

# What N3D-VLM's demo wrote for its first picture, in its own words from the first number on.
PUBLISHED = (
    "Step 1: vector_AB = B_pos - A_pos = (-5.81, -9.59). Step 2: angle_rad = atan2(vector_AB[0], "
    "vector_AB[1]) = atan2(-5.81, -9.59) = 0.555 (radians). angle_deg = degrees(angle_rad) = 31.83 (degrees)."
    " Step 3: normalized_angle = (angle_deg + 360) % 360 = 31.83. Step 4: clock_position = 12 - "
    "(normalized_angle // 30) = 11.0. (If clock_position <= 0, wrap around.)"
)


def located(number: int, center: tuple[float, float, float]) -> Located:
    return Located.of(ViewBox(number, "chair", center, (0.5, 0.9, 0.6), 0.1), VIEW)


def test_the_published_failure_is_flagged() -> None:
    checked = check("angle = atan2(-5.81, -9.59) = 0.555 rad")
    (step,) = checked.steps
    assert step.agrees is False
    assert step.computed == pytest.approx(-2.597, abs=5e-4)
    assert step.computed == pytest.approx(math.atan2(-5.81, -9.59))
    assert step.stated == "0.555"
    assert checked.conclusion.number == -2.597


def test_the_published_reply_step_by_step() -> None:
    checked = check(PUBLISHED)
    judged = [(s.stated, None if s.computed is None else round(float(s.computed), 3), s.agrees)
              for s in checked.steps if s.stated]  # fmt: skip
    assert judged == [
        ("0.555", -2.597, False),
        ("31.83", 31.799, False),  # 0.555 rad are 31.80 degrees
        ("31.83", 31.83, True),
        ("11.0", 11.0, True),
    ]
    # What follows once the first step is right: -148.8 degrees, 211.2, and 12 - 7.
    assert checked.conclusion.number == 5.0
    said = "4_hotair ballon will find 2_hotair ballon around the 11 o'clock direction."
    assert "around the 5 o'clock" in corrected(said.replace("4_", "").replace("2_", ""), checked.conclusion)


def test_a_right_chain_in_degrees_and_a_unit_between() -> None:
    checked = check("So angle = atan2(5.81, 9.59) = 0.5447 rad = 31.21°, which is close to 0.54.")
    assert [s.agrees for s in checked.steps] == [True, True]
    assert check("deg(0.5447) = 31.21 degrees").wrong == ()
    assert check("a = atan2(1.00, 1.00) = 45.00 degrees").wrong == ()
    assert len(check("a = atan2(1.00, 1.00) = 45.00").wrong) == 1, "45 without a unit are radians"


def test_the_form_of_the_training_text() -> None:
    boxes = [located(0, (0.35, 0.0, 2.1))]
    text = (
        "d = sqrt(2.10^2 + (-0.35)^2) = 2.13\nn = floor(2.13 + 0.5) = 2\n"
        "a = front if 2.10 > 0 else back = front"
    )
    checked = check(text, boxes)
    assert [s.agrees for s in checked.steps] == [True, True, True]
    assert [s.unsourced for s in checked.steps] == [(), (), ()]
    assert check("d = sqrt((bbox_0.x - 0)^2) = 2.10", boxes).wrong == ()
    for unknown in (
        "d = bbox_1.x + 1 = 3.10",
        "d = bbox_1.x -1 = 3.10",
        "bbox_1.x - 1 = 3.10",
        "b * 2 + 1 = 3",
    ):
        assert [s.agrees for s in check(unknown, boxes).steps] == [None], unknown


def test_numbers_that_come_from_nowhere_are_named() -> None:
    boxes = [located(0, (0.35, 0.0, 2.1))]
    (first, second) = check("d = sqrt(2.10^2 + (-0.53)^2) = 2.17\ne = 2.17 + 0.5 = 2.67", boxes).steps
    assert first.agrees is True and first.unsourced == ("-0.53",)
    assert second.unsourced == (), "an earlier step has it"
    (given,) = check("k = 7.77", boxes).steps
    assert given.agrees is None and given.unsourced == ("7.77",)


@pytest.mark.parametrize(
    ("stated", "agrees"),
    [
        ("2.13", True),
        ("2.1290", True),
        ("2.1", True),
        ("2", True),
        ("2.12", False),
        ("2.14", False),
        ("3", False),
    ],
)
def test_agreement_is_within_half_of_the_last_printed_digit(stated: str, agrees: bool) -> None:
    (step,) = check(f"sqrt(2.10^2 + 0.35^2) = {stated}").steps  # 2.12897
    assert step.agrees is agrees


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(0, 4), st.integers(-3, 3))
def test_any_true_statement_agrees_and_one_off_by_a_digit_does_not(a: int, b: int, p: int, off: int) -> None:
    x, y = a / 100, b / 100
    value = round(math.hypot(x, y), p)
    stated = f"{value + off * 10.0**-p:.{p}f}"
    (step,) = check(f"d = sqrt(({x:.2f})^2 + ({y:.2f})^2) = {stated}").steps
    assert step.agrees is (off == 0)


def test_a_mistake_counts_once_and_what_follows_is_recomputed() -> None:
    text = "d0 = 1.20 + 1.30 = 3.50\nd1 = 2 * 1.40 = 2.80\na = yes if 3.50 < 2.80 else no = no"
    checked = check(text)
    assert [s.agrees for s in checked.steps] == [False, True, True]
    assert checked.conclusion.spoken() == "yes", "2.50 < 2.80"
    assert check(text.replace("3.50 <", "d0 <")).conclusion.spoken() == "yes"
    # Where a box has the very number, it may mean that one: it is left alone.
    boxes = [located(0, (0.0, 0.0, 3.5))]
    assert check(text, boxes).conclusion.spoken() == "no"


def test_a_wrong_choice_and_one_that_cannot_be_read() -> None:
    checked = check("a = front if 2.10 > 0 else back = back\nb = left if -0.35 > 0 else right = right")
    assert [s.agrees for s in checked.steps] == [False, True]
    assert checked.conclusion.spoken() == "front-right"
    (step,) = check("a = yes if zeta < 2 else no = yes").steps
    assert step.agrees is None and "zeta" in step.problem


def test_a_choice_that_has_no_true_value_leaves_no_conclusion() -> None:
    checked = check("d = 1 - 1 = 2\na = yes if 1 / d < 3 else no = yes")
    assert [s.agrees for s in checked.steps] == [False, True]
    assert checked.conclusion == Conclusion()


def test_a_name_given_anew_and_a_name_stated_again() -> None:
    assert check("d = 1 + 1 = 2\nd = 2 + 3 = 5\ne = d * 2 = 10").wrong == ()
    checked = check("d = 1 + 1 = 2\nso d = 3")
    assert [s.agrees for s in checked.steps] == [True, False]


def test_prose_and_several_statements_in_a_line() -> None:
    text = (
        "The chair is at x 1.20 m. Its distance is sqrt(1.20^2 + 0.50^2) = 1.30 m, and d = 2 * 1.30 = 2.60; "
        "1.30 < 2.60: nearer. Therefore 2.60 > 2.70."
    )
    checked = check(text)
    assert [s.agrees for s in checked.steps] == [True, True, True, False]
    assert check("Nothing is said here.\n\nAt all.").steps == ()
    (unreadable,) = check("x = the left one = y").steps
    assert unreadable.agrees is None and unreadable.problem


@given(st.text(alphabet="abd01.5+-*/()<>= ^,;\n?", max_size=80) | st.text(max_size=60))
def test_any_text_can_be_checked(text: str) -> None:
    for step in check(text, [located(0, (0.1, 0.1, 2.0))]).steps:
        assert step.agrees is None or step.computed is not None


@pytest.mark.parametrize(
    "text",
    [
        "1" * 5000 + " = 1", "(" * 3000 + " = 2", "a = " * 500 + "1", "9^9^9^9 = 1", "a" * 60 + "! = 1",
        "*" * 60 + "! = 1", " " * 20_000 + "= 1", "x" + " " * 20_000 + "= 1 rad", "a = b if " + "< " * 3000,
        "1 < " * 3000, "sqrt(" * 80 + " = 3", "a.b" * 60 + "! = 2", "1." * 200 + " = 2", "/" * 80 + "x! = 1",
    ],
)  # fmt: skip
def test_texts_made_to_be_slow_are_not(text: str) -> None:
    before = time.perf_counter()
    check(text)
    assert time.perf_counter() - before < 10, "backtracking takes hours"


@pytest.mark.parametrize(
    ("answer", "conclusion", "expected"),
    [
        ("no", Conclusion(("yes",), (("yes", "no"),)), "yes"),
        ("Yes.", Conclusion(("yes",), (("yes", "no"),)), "Yes."),
        ("To the front-left of me.", Conclusion(("back", "left"), (("front", "back"), ("left", "right"))),
         "To the back-left of me."),
        ("perhaps", Conclusion(("yes",), (("yes", "no"),)), "perhaps"),
        ("yes and no", Conclusion(("yes",), (("yes", "no"),)), "yes and no"),
        ("two", Conclusion(number=3.0), "three"),
        ("Three", Conclusion(number=3.0), "Three"),
        ("about 2.5 m", Conclusion(number=2.13), "about 2.1 m"),
        ("2 metres", Conclusion(number=3.0), "3 metres"),
        ("2 or 3", Conclusion(number=4.0), "2 or 3"),
        ("red", Conclusion(number=4.0), "red"),
        ("two", Conclusion(), "two"),
        ("", Conclusion(number=1.0), ""),
        ("one", Conclusion(number=13.0), "13"),
        ("none at all", Conclusion(number=1.0), "none at all"),
    ],
)  # fmt: skip
def test_an_answer_brought_in_line(answer: str, conclusion: Conclusion, expected: str) -> None:
    assert corrected(answer, conclusion) == expected


def test_numbers_of_a_box_in_a_level_view() -> None:
    box = located(3, (0.5, 0.2, 3.0))
    expected = {"x": 3.0, "y": -0.5, "z": -0.2, "w": 0.5, "l": 0.6, "h": 0.9, "angle": 0.1}
    assert {k: box.values[k] for k in expected} == expected
    assert box.values["u"] == round((577 * 0.5 / 3 + 320) / 640, 2)
    assert box.name == "bbox_3"
    np.testing.assert_allclose(box.box.center, [3.0, -0.5, -0.2], atol=1e-12)
