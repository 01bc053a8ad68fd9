"""What a stage's body receives and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vantage.core.progress import Progress, Silent
from vantage.core.tracking import Tracker

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
        cache: a folder of the stage that outlives its items and every change of code and parameters, for what
            is costly to get from outside; never hashed. None where the caller keeps none.
        tracker: where to show a run while it goes on; None where nobody watches.
    """

    item: str
    inputs: Mapping[str, Path]
    out: Path
    work: Path
    seed: int
    progress: Progress = field(default_factory=Silent)
    cache: Path | None = None
    tracker: Tracker | None = None


@dataclass(frozen=True)
class Cost:
    """What some items will bring in from outside the workspace.

    Attributes:
        files, size: files still to fetch, and their bytes (what is there of a file begun does not count).
        present_files, present: files that are there already, and bytes of those and of files begun.
        unknown: files to fetch whose size the source does not tell.
        absent: files that the source does not have.
    """

    files: int
    size: int
    present_files: int
    present: int
    unknown: int = 0
    absent: int = 0
