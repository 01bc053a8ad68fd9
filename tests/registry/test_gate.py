"""The conditions of a promotion on answers counted by hand."""

from __future__ import annotations

from vantage.records.predictions import Prediction
from vantage.registry.config import PromoteConfig
from vantage.registry.gate import Gate, against_champion, against_controls

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
    assert checks[0].reason == "+60.0 points over projector, at least +20.0"
    assert checks[0].record()["gain"]["points"] == 60


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
