"""What a stage's body receives and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vantage.core.progress import Progress, Silent

Facts = Mapping[str, int | float | str]
"""Counts and measures of one item of work; shown and tracked, never hashed."""


@dataclass(frozen=True)
class Task:
    """One item of work of a stage: a scan, an arm, or the whole run.

    Attributes:
        item: the scan id, the arm's name, or the stage's name for work done once.
        inputs: by upstream stage: the item's own folder for work per scan, the whole output folder otherwise.
        out: an empty folder; what is written here is hashed, so it holds no times, ids or absolute paths.
        work: a folder that survives a kill, for checkpoints; never hashed.
        seed: the run's seed; derive generators from it with `vantage.core.seeds.rng`.
        progress: where to tell how far the work is.
    """

    item: str
    inputs: Mapping[str, Path]
    out: Path
    work: Path
    seed: int
    progress: Progress = field(default_factory=Silent)
