"""How long work tells where it is, without knowing who watches."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Receives steps and remarks; a terminal bar, plain lines or an orchestrator's log implement it."""

    def step(self, done: int, total: int, note: str = "") -> None:
        """`done` of `total` units are finished."""

    def say(self, text: str) -> None:
        """A line worth reading."""


class Silent:
    """A progress that tells nobody."""

    def step(self, done: int, total: int, note: str = "") -> None:
        """Ignore the step."""

    def say(self, text: str) -> None:
        """Ignore the remark."""
