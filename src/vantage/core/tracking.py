"""What the pipeline asks of an experiment tracker; `vantage.registry` implements it on MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class Tracker(Protocol):
    """Records one run for each trained arm and each evaluation."""

    def record(
        self,
        name: str,
        digest: str,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        history: Sequence[Mapping[str, float]] = (),
    ) -> str:
        """Record a run once for each digest and return its id.

        A second call with the same digest changes nothing and returns the first run's id.
        `history` rows hold `step` and the metrics at that step.
        """
