"""What the pipeline asks of an experiment tracker; `vantage.registry` implements it on MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable


@runtime_checkable
class OpenRun(Protocol):
    """A run while its work goes on. Nothing here waits for a server or raises because of one."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Values at a step, sent in the background."""

    def table(
        self,
        path: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str | int | float]],
        pictures: Mapping[str, Path],
    ) -> None:
        """A table at a path within the run, sent in the background in place of an earlier one.

        A cell that is a name in `pictures` (PNG files that stay until the run is closed) shows that picture.
        """

    def close(self, digest: str | None) -> None:
        """End it: finished, with the digest of its output, or failed (None)."""


class NoRun:
    """A run that nobody keeps."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Ignore them."""

    def table(
        self,
        path: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str | int | float]],
        pictures: Mapping[str, Path],
    ) -> None:
        """Ignore it."""

    def close(self, digest: str | None) -> None:
        """Nothing to end."""


@runtime_checkable
class Tracker(Protocol):
    """Records one run for each trained arm and each evaluation."""

    def open(self, name: str, key: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> OpenRun:
        """Open a run for work that begins now, or goes on under the same `key` after a kill.

        Returns at once; a server that is away costs a warning and the run's live values.
        """

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
        `history` rows hold `step` and the metrics at that step. A run that was open while its work went on
        and was closed with this digest is completed and becomes the record.
        """
