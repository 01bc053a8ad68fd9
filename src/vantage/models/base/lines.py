"""Progress of a long build as plain lines, and a stage as a job of its own process."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from vantage.models.base.build import run_part
from vantage.models.base.recipe import BaseRecipe


class Lines:
    """Progress as plain lines."""

    def __init__(self, name: str) -> None:
        self.name, self.started = name, time.monotonic()

    def step(self, done: int, total: int, note: str = "") -> None:
        """A line for a step."""
        self.say(f"{done}/{total} {note}")

    def say(self, text: str) -> None:
        """A line."""
        sys.stdout.write(f"{time.monotonic() - self.started:6.0f} s  {self.name}: {text}\n")
        sys.stdout.flush()


def part(name: str, recipe: BaseRecipe, work: Path) -> None:
    """One of the stages that run side by side."""
    run_part(name, recipe, work, Lines(name))
