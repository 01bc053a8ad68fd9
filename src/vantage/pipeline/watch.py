"""What a run tells while it works: plain lines for logs here, a bar for terminals in `vantage.cli`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

PLAIN_SECONDS = 5.0


@dataclass(frozen=True)
class Position:
    """How far a run is.

    Attributes:
        done: finished items of those to process.
        total: items to process.
        item: the item that reported last.
        step, steps: its own progress; 0 of 0 when it told none.
        note: what it does.
    """

    done: int
    total: int
    item: str = ""
    step: int = 0
    steps: int = 0
    note: str = ""

    def text(self) -> str:
        """One line about it."""
        inner = f", {self.item}" if self.item else ""
        if self.steps:
            inner += f" {self.step}/{self.steps}"
        return f"{self.done}/{self.total}{inner}{f' {self.note}' if self.note else ''}"


@runtime_checkable
class Watcher(Protocol):
    """Shows a run to somebody."""

    def say(self, text: str) -> None:
        """A line worth reading."""

    def warn(self, text: str) -> None:
        """A line that must be read."""

    def begin(self, stage: str, total: int) -> None:
        """Items are about to be processed."""

    def at(self, position: Position) -> None:
        """Something moved."""

    def end(self) -> None:
        """All items are processed, or the run stops."""


class PlainWatcher:
    """Lines of text, one every few seconds at most while items are processed.

    Args:
        write: where a line goes, without its newline.
        clock: seconds; replaced in tests.
    """

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._last = 0.0
        self._stage = ""

    def say(self, text: str) -> None:
        """Write the line."""
        self._write(text)

    def warn(self, text: str) -> None:
        """Write the line, marked."""
        self._write(f"warning: {text}")

    def begin(self, stage: str, total: int) -> None:
        """Start the clock."""
        self._stage, self._last = stage, self._clock()

    def at(self, position: Position) -> None:
        """Write where the run is, if the last line is some seconds old."""
        if self._clock() - self._last >= PLAIN_SECONDS:
            self._last = self._clock()
            self._write(f"{self._stage}: {position.text()}")

    def end(self) -> None:
        """Nothing to close."""
