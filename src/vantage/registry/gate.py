"""Whether a model may become champion: pure comparison of answers, no registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from vantage.evaluation.significance import POWER, Comparison, compare, shown_p
from vantage.evaluation.statistics import Gain
from vantage.evaluation.table import exact, group_key, of_group, paired, same_questions
from vantage.records.predictions import Prediction
from vantage.registry.config import PromoteConfig


@dataclass(frozen=True)
class Check:
    """One condition, whether it held, and what it rests on.

    Attributes:
        name: what was compared with, `champion`, or `losses`.
        passed: whether it held.
        reason: why, for people.
        gain: on the headline questions, with its interval over rooms.
        tests: McNemar's test by group of questions; of the headline alone where there is a gain.
    """

    name: str
    passed: bool
    reason: str
    gain: Gain | None = None
    tests: Mapping[str, Comparison] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """JSON-able, rounded far below any interval."""
        record: dict[str, Any] = {"check": self.name, "passed": self.passed, "reason": self.reason}
        if self.gain is not None:
            record["gain"] = {k: round(v, 3) for k, v in asdict(self.gain).items()}
        if self.tests:
            record["tests"] = {group: test.record() for group, test in self.tests.items()}
        return record


@dataclass(frozen=True)
class Gate:
    """The headline questions and the rules they are compared by.

    Attributes:
        family, slice: the headline group.
        config: thresholds.
        seed: of the bootstrap.
    """

    family: str
    slice: str
    config: PromoteConfig
    seed: int

    @property
    def key(self) -> str:
        """The headline group, as the report names it."""
        return group_key(self.family, self.slice)

    def of(self, rows: Sequence[Prediction]) -> list[Prediction]:
        """The headline questions among some predictions."""
        return of_group(rows, self.family, self.slice)

    def gain(self, ours: Sequence[Prediction], theirs: Sequence[Prediction], name: str) -> Gain:
        """Gain of `ours` on the headline questions, paired by room."""
        purpose = f"promote/{name}"
        return paired(self.of(ours), self.of(theirs), self.seed, purpose, self.config.resamples)

    def test(self, ours: Sequence[Prediction], theirs: Sequence[Prediction]) -> Comparison:
        """McNemar's test on the headline questions."""
        return compare({"": (exact(self.of(ours)), exact(self.of(theirs)))})[""]

    def proves(self, gain: Gain, test: Comparison) -> bool:
        """Whether a gain is more than chance: by the interval over rooms and by the test, so the stricter."""
        return gain.low > 0 and test.p <= self.config.alpha

    def thresholds(self) -> dict[str, float]:
        """What a decision was measured by, by the parameters' names."""
        config = self.config
        return {
            "min_gain_points": config.min_gain_points,
            "min_control_gain_points": config.min_control_gain_points,
            "alpha": config.alpha,
        }


def against_controls(
    gate: Gate,
    candidate: Sequence[Prediction],
    baseline: tuple[str, Sequence[Prediction]] | None,
    controls: Mapping[str, Sequence[Prediction]],
) -> list[Check]:
    """The candidate must beat the baseline arm and every control by the configured points, and beyond chance.

    All must be beaten, so none of the tests needs a correction for their number. Where the configured points
    are not above 0, no gain is asked for and none is tested.
    """
    checks = []
    if baseline is None:
        checks.append(Check("baseline", False, "the baseline arm was not evaluated, so no gain is known"))
    else:
        checks.append(_least(gate, candidate, *baseline, gate.config.min_gain_points))
    if not controls:
        checks.append(Check("controls", False, "no control was evaluated, so the gain cannot be trusted"))
    least = gate.config.min_control_gain_points
    checks += [_least(gate, candidate, name, rows, least) for name, rows in sorted(controls.items())]
    return checks


def _least(
    gate: Gate, candidate: Sequence[Prediction], name: str, rows: Sequence[Prediction], least: float
) -> Check:
    gain, test = gate.gain(candidate, rows, name), gate.test(candidate, rows)
    enough = gain.points >= least
    verdict = "at least" if enough else "less than the required"
    reason = f"{gain.points:+.1f} points over {name}, {verdict} {least:+.1f}"
    proven = least <= 0 or gate.proves(gain, test)
    if enough and proven:
        reason += f" ({shown_p(test.p)})"
    elif enough:
        reason += f", but chance explains it: {_evidence(gain, test)}"
    return Check(name, enough and proven, reason, gain, {gate.key: test})


def _evidence(gain: Gain, test: Comparison) -> str:
    """The two tests, and what so many questions could have shown."""
    least = test.detectable_points
    could = (
        "too few questions to show any difference"
        if least is None
        else f"{test.n} questions show differences from {least:.1f} points on (power {POWER})"
    )
    return f"{shown_p(test.p)}, [{gain.low:+.1f}, {gain.high:+.1f}] over {gain.rooms} rooms; {could}"


def against_champion(gate: Gate, candidate: Sequence[Prediction], champion: Sequence[Prediction]) -> Check:
    """The candidate must be better than the champion on the same questions beyond what chance explains."""
    gain, test = gate.gain(candidate, champion, "champion"), gate.test(candidate, champion)
    tests = {gate.key: test}
    interval = f"{gain.points:+.1f} points [{gain.low:+.1f}, {gain.high:+.1f}] over the champion"
    if gate.proves(gain, test):
        return Check("champion", True, f"{interval} ({shown_p(test.p)})", gain, tests)
    if test.ours_only == test.theirs_only == 0:
        why = "right and wrong on the same questions as the champion"
    elif gain.low <= 0:
        why = "the interval does not lie above zero"
    else:
        why = "too few questions tell the two apart"
    return Check("champion", False, f"{interval}: {why}; {_evidence(gain, test)}", gain, tests)


def no_loss(gate: Gate, candidate: Sequence[Prediction], champion: Sequence[Prediction]) -> Check:
    """On no group of questions may the candidate lose to the champion beyond chance.

    McNemar's test on every group, corrected by Holm over all of them. It takes the questions of a room as
    independent and so finds a loss rather too early than too late.

    Raises:
        ContractError: the two answered different questions.
    """
    same_questions(candidate, champion, "promote/losses")
    keys = sorted({(p.family, p.slice) for p in candidate})
    tests = compare(
        {group_key(*key): (exact(of_group(candidate, *key)), exact(of_group(champion, *key))) for key in keys}
    )
    lost = [
        f"{name} {_points(test):+.1f} points ({shown_p(test.p_holm)} after Holm, {test.n} questions)"
        for name, test in tests.items()
        if test.theirs_only > test.ours_only and test.p_holm <= gate.config.alpha
    ]
    if lost:
        return Check("losses", False, f"loses to the champion beyond chance: {', '.join(lost)}", tests=tests)
    blind = [name for name, test in tests.items() if test.detectable_points is None]
    reason = f"loses to the champion beyond chance on none of {len(tests)} groups of questions"
    reason += f"; too few questions to tell: {', '.join(blind)}" if blind else ""
    return Check("losses", True, reason, tests=tests)


def _points(test: Comparison) -> float:
    return 100 * (test.ours_only - test.theirs_only) / test.n
