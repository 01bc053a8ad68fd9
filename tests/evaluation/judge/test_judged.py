"""Numbers out of verdicts, counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vantage.evaluation.judge.cases import Case
from vantage.evaluation.judge.judged import Judged
from vantage.evaluation.judge.verdict import Decision

YES, NO, BAD = Decision(True, "r"), Decision(False, "r"), Decision(None, failure="f")


def judged(*rows: list[Decision]) -> Judged:
    cases = [Case(f"q{i}", f"s{i}", "?", "", ("a",), "a") for i in range(len(rows))]
    return Judged("m/scanqa-1", cases, rows)


def test_failures_are_no_verdicts_and_their_weight_is_told() -> None:
    record = judged([YES], [YES], [NO], [BAD], [BAD]).record()
    assert (record["n"], record["judged"], record["failures"]) == (5, 3, 2)
    assert record["items_without_verdict"] == 2
    assert record["accuracy"] == pytest.approx(2 / 3)
    assert record["accuracy_if_failures_wrong"] == pytest.approx(2 / 5)
    assert record["accuracy_if_failures_right"] == pytest.approx(4 / 5)
    low, high = record["interval"]
    assert 0 <= low < 2 / 3 < high <= 1
    assert record["standard_deviation"] is None and record["items_that_differ"] is None


def test_spread_over_repeats() -> None:
    record = judged([YES, YES], [YES, NO], [NO, BAD], [NO, NO]).record()
    assert record["accuracy"] == pytest.approx((1 + 0.5 + 0 + 0) / 4)
    assert record["accuracy_by_repeat"] == [pytest.approx(2 / 4), pytest.approx(1 / 3)]
    assert record["standard_deviation"] == pytest.approx(np.std([1 / 2, 1 / 3], ddof=1))
    assert record["items_that_differ"] == 0.25 and record["failures"] == 1


def test_a_part_of_the_items() -> None:
    found = judged([YES], [NO], [BAD]).record(np.array([True, False, True]))
    assert (found["n"], found["judged"], found["accuracy"], found["failures"]) == (2, 1, 1.0, 1)


@pytest.mark.parametrize("rows", [[[BAD]], [[BAD], [BAD]]])
def test_nothing_but_failures(rows: list[list[Decision]]) -> None:
    record: dict[str, Any] = judged(*rows).record()
    assert record["accuracy"] is None and record["interval"] is None and record["judged"] == 0


def test_per_item_keeps_reasons_and_failures() -> None:
    first, second = judged([YES, NO], [BAD, BAD]).per_item()
    assert first["correct"] == 0.5 and first["verdicts"][0] == {"value": True, "reason": "r"}
    assert second["correct"] is None and second["verdicts"][0]["failure"] == "f"
