"""Whether a model may become champion: pure comparison of answers, no registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vantage.evaluation.statistics import Gain
from vantage.evaluation.table import paired
from vantage.records.predictions import Prediction
from vantage.registry.config import PromoteConfig


@dataclass(frozen=True)
class Check:
    """One condition: what was compared, the gain where there is one, and whether it held."""

    name: str
    passed: bool
    reason: str
    gain: Gain | None = None

    def record(self) -> dict[str, Any]:
        """JSON-able, rounded far below any interval."""
        record: dict[str, Any] = {"check": self.name, "passed": self.passed, "reason": self.reason}
        if self.gain is not None:
            record["gain"] = {k: round(v, 3) for k, v in asdict(self.gain).items()}
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

    def of(self, rows: Sequence[Prediction]) -> list[Prediction]:
        """The headline questions among some predictions."""
        return [p for p in rows if (p.family, p.slice) == (self.family, self.slice)]

    def gain(self, ours: Sequence[Prediction], theirs: Sequence[Prediction], name: str) -> Gain:
        """Gain of `ours` on the headline questions, paired by room."""
        purpose = f"promote/{name}"
        return paired(self.of(ours), self.of(theirs), self.seed, purpose, self.config.resamples)


def against_controls(
    gate: Gate,
    candidate: Sequence[Prediction],
    baseline: tuple[str, Sequence[Prediction]] | None,
    controls: Mapping[str, Sequence[Prediction]],
) -> list[Check]:
    """The candidate must beat the baseline arm and every control by the configured points."""
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
    gain = gate.gain(candidate, rows, name)
    passed = gain.points >= least
    verdict = "at least" if passed else "less than the required"
    return Check(name, passed, f"{gain.points:+.1f} points over {name}, {verdict} {least:+.1f}", gain)


def against_champion(gate: Gate, candidate: Sequence[Prediction], champion: Sequence[Prediction]) -> Check:
    """The candidate must be better than the champion on the same questions beyond what chance explains."""
    gain = gate.gain(candidate, champion, "champion")
    interval = f"{gain.points:+.1f} points [{gain.low:+.1f}, {gain.high:+.1f}] over the champion"
    if gain.low > 0:
        return Check("champion", True, interval, gain)
    return Check("champion", False, f"{interval}: the interval does not lie above zero", gain)
