"""The conditions of a promotion on answers counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vantage.core.errors import ContractError
from vantage.records.predictions import Prediction
from vantage.registry.config import PromoteConfig
from vantage.registry.gate import Gate, against_champion, against_controls, no_loss

GATE = Gate("direction", "unseen", PromoteConfig(resamples=300), seed=1)


def answers(right: int, of: int = 10, rooms: int = 12, jitter: int = 0) -> list[Prediction]:
    """`right` of `of` questions a room answered right; with `jitter`, one more or one fewer by turns."""
    rows = []
    for room in range(rooms):
        scan, good = f"room{room:04d}_00", right + (jitter if room % 2 else -jitter)
        for i in range(of):
            said = "back-left" if i < good else "front-left"
            rows.append(
                Prediction(f"{scan}-{i}", scan, scan[:8], "direction", "unseen", "where", "back-left", said)
            )
    return rows


def test_a_good_candidate_passes_every_check() -> None:
    checks = against_controls(GATE, answers(9), ("projector", answers(3)), {"embedding@blind": answers(2)})
    assert [(c.name, c.passed) for c in checks] == [("projector", True), ("embedding@blind", True)]
    assert checks[0].reason == "+60.0 points over projector, at least +20.0 (p < 0.001)"
    record = checks[0].record()
    assert record["gain"]["points"] == 60
    test = record["tests"]["direction_unseen"]
    assert (test["n"], test["ours_only"], test["theirs_only"]) == (120, 72, 0)


def test_too_small_a_gain_or_a_control_that_works_is_named() -> None:
    checks = against_controls(GATE, answers(5), ("projector", answers(4)), {"random_yaw": answers(5)})
    assert [c.passed for c in checks] == [False, False]
    assert checks[0].reason == "+10.0 points over projector, less than the required +20.0"
    assert checks[1].reason == "+0.0 points over random_yaw, less than the required +10.0"


def test_without_baseline_or_controls_nothing_is_known() -> None:
    checks = against_controls(GATE, answers(9), None, {})
    assert [c.name for c in checks if not c.passed] == ["baseline", "controls"]


def test_the_champion_must_be_beaten_beyond_chance() -> None:
    assert against_champion(GATE, answers(9), answers(6)).passed
    assert not against_champion(GATE, answers(6), answers(6)).passed
    close = against_champion(GATE, answers(6, jitter=3), answers(6, jitter=-3))
    assert not close.passed
    assert "does not lie above zero" in close.reason


def test_only_the_headline_questions_count() -> None:
    other = [Prediction("z", "room0000_00", "room0000", "exist", "", "q", "yes", "no")]
    check = against_champion(GATE, [*answers(9), *other], [*answers(6), *other])
    assert check.gain is not None
    assert check.gain.n == 120


def test_the_same_answers_as_the_champions_gain_nothing_and_lose_nothing() -> None:
    check = against_champion(GATE, answers(6), answers(6))
    assert not check.passed
    assert "right and wrong on the same questions as the champion" in check.reason
    assert check.tests["direction_unseen"].p == 1.0
    assert no_loss(GATE, answers(6), answers(6)).passed


def test_a_gain_that_chance_explains_is_no_gain_however_large() -> None:
    """Five questions all right against all wrong: 100 points, p = 2 / 2**5."""
    few = against_controls(GATE, answers(1, 1, rooms=5), ("projector", answers(0, 1, rooms=5)), {})[0]
    assert few.gain is not None and few.gain.low == 100
    assert not few.passed
    assert "but chance explains it: p = 0.06" in few.reason
    assert "too few questions to show any difference" in few.reason
    six = against_controls(GATE, answers(1, 1, rooms=6), ("projector", answers(0, 1, rooms=6)), {})[0]
    assert six.passed and "(p = 0.031)" in six.reason
    strict = replace(GATE, config=replace(GATE.config, alpha=0.03))
    assert not against_controls(strict, answers(1, 1, rooms=6), ("x", answers(0, 1, rooms=6)), {})[0].passed


def test_many_questions_of_one_room_prove_nothing() -> None:
    """McNemar takes them as independent; the interval over rooms knows better, and both must agree."""
    one_room = against_controls(GATE, answers(40, 40, rooms=1), ("x", answers(0, 40, rooms=1)), {})[0]
    assert one_room.tests["direction_unseen"].p < 1e-9
    assert not one_room.passed
    assert not against_champion(GATE, answers(40, 40, rooms=1), answers(0, 40, rooms=1)).passed


def test_where_no_gain_is_asked_for_none_is_tested() -> None:
    lenient = replace(GATE, config=replace(GATE.config, min_gain_points=-5.0, min_control_gain_points=0.0))
    same = answers(5)
    checks = against_controls(lenient, same, ("projector", same), {"embedding@blind": same})
    assert [c.passed for c in checks] == [True, True]


def test_too_few_questions_do_not_replace_a_champion_and_the_reason_says_so() -> None:
    check = against_champion(GATE, answers(1, 1, rooms=4), answers(0, 1, rooms=4))
    assert not check.passed
    assert "too few questions tell the two apart" in check.reason
    assert "too few questions to show any difference" in check.reason


def group(family: str, right: int, of: int) -> list[Prediction]:
    """One group's questions, spread over rooms, the first `right` of them right."""
    rows = []
    for i in range(of):
        room, said = f"room{i % 9:04d}", "yes" if i < right else "no"
        rows.append(Prediction(f"{family}-{i:03d}", f"{room}_00", room, family, "", "q", "yes", said))
    return rows


def test_a_loss_on_any_family_is_found_after_holm() -> None:
    champion = [*answers(6), *group("count", 40, 60), *group("exist", 50, 60)]
    candidate = [*answers(9), *group("count", 20, 60), *group("exist", 49, 60)]
    check = no_loss(GATE, candidate, champion)
    assert not check.passed
    assert "count -33.3 points (p < 0.001 after Holm, 60 questions)" in check.reason
    assert "exist" not in check.reason and "direction" not in check.reason
    record = check.record()
    assert list(record["tests"]) == ["count", "direction_unseen", "exist"]
    assert record["tests"]["exist"]["theirs_only"] == 1


def test_one_loss_in_ten_that_chance_explains_does_not_refuse() -> None:
    """Six lost questions alone are significant (p = 0.031); as one of ten families looked at they are not."""
    names = [f"family{i}" for i in range(10)]
    champion = [p for name in names for p in group(name, 30, 40)]
    candidate = [p for name in names for p in group(name, 24 if name == "family3" else 30, 40)]
    check = no_loss(GATE, candidate, champion)
    assert check.tests["family3"].p < 0.05 < check.tests["family3"].p_holm
    assert check.passed
    assert not no_loss(GATE, group("family3", 24, 40), group("family3", 30, 40)).passed


def test_groups_too_small_to_lose_are_named() -> None:
    check = no_loss(GATE, [*answers(6), *group("size", 0, 5)], [*answers(6), *group("size", 5, 5)])
    assert check.passed
    assert check.reason.endswith("too few questions to tell: size")


def test_losses_need_the_same_questions() -> None:
    with pytest.raises(ContractError, match="different questions"):
        no_loss(GATE, answers(6), answers(6, rooms=11))


def test_thresholds_are_named_as_the_parameters_are() -> None:
    assert GATE.thresholds() == {"min_gain_points": 20.0, "min_control_gain_points": 10.0, "alpha": 0.05}
