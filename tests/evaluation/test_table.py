"""Groups, scores and gains of made-up predictions, counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from vantage.core.errors import ContractError
from vantage.evaluation.table import Group, paired, score_groups
from vantage.records.predictions import Prediction

Make = Callable[..., list[Prediction]]


def groups_of(items: dict[str, list[Prediction]], unlearnable: frozenset[str] = frozenset()) -> list[Group]:
    return score_groups(items, unlearnable, "projector", ("direction", "unseen"), seed=0, resamples=200)


def test_scores_counts_and_gains(predictions: Make) -> None:
    head, exist = groups_of({"projector": predictions(1), "embedding": predictions(3)})
    assert (head.name, head.key, head.n, head.rooms) == ("direction (unseen)", "direction_unseen", 20, 5)
    assert (exist.name, exist.key, exist.n) == ("exist", "exist", 5)
    assert head.items["projector"].exact.percent == 25
    assert head.items["embedding"].exact.percent == 75
    assert (head.majority_answer, head.majority_percent) == ("back-left", 100)
    assert (head.gains["embedding"].points, exist.gains["embedding"].points) == (50, 0)
    assert "projector" not in head.gains
    # Every room gains alike, so resampling rooms changes nothing.
    assert head.gains["embedding"].low == pytest.approx(50) == head.gains["embedding"].high


def test_refined_scores_stand_apart_and_empty_answers_are_counted(predictions: Make) -> None:
    rows = [replace(p, prediction="") if p.family == "exist" else p for p in predictions(4)]
    exist = groups_of({"projector": rows})[1]
    scores = exist.items["projector"]
    assert scores.exact.percent == 0
    assert scores.others["em_refined_first_match"] == scores.others["em_refined_membership_first"] == 100
    assert scores.others["em_refined_strict"] == 0
    assert scores.empty_percent == 100


def test_headline_first_unlearnable_last(predictions: Make) -> None:
    extra = [
        Prediction("room0000_00-s", "room0000_00", "room0000", "direction", "seen", "q", "a", "a"),
        Prediction("room0000_00-c", "room0000_00", "room0000", "count", "", "q", "one", "two"),
    ]
    rows = sorted([*predictions(2), *extra], key=lambda p: p.question_id)
    names = [g.name for g in groups_of({"projector": rows}, frozenset({"count"}))]
    assert names == ["direction (unseen)", "direction (seen)", "exist", "count"]


def test_arms_that_answered_different_questions_are_refused(predictions: Make) -> None:
    with pytest.raises(ContractError, match="different questions"):
        groups_of({"projector": predictions(1), "embedding": predictions(1, rooms=4)})
    with pytest.raises(ContractError, match="different questions"):
        paired(predictions(1), predictions(1)[1:], 0, "x", 100)
    with pytest.raises(ContractError, match="no predictions"):
        groups_of({"projector": []})
