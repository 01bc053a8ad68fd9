"""Small files of predictions and references, and their scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vantage.evaluation.benchmarks.names import BENCHMARKS
from vantage.evaluation.scoring import Scored, score


def write(path: Path, value: Any) -> Path:
    """JSON lines if the name ends so (a list is one record a line), else JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in value))
    else:
        path.write_text(json.dumps(value))
    return path


def scored(
    folder: Path, benchmark: str, said: Any, given: Any, *, name: str = "given.json", **options: Any
) -> Scored:
    """The scores of predictions `said` (a list is written as JSON lines) against references `given`."""
    suffix = "jsonl" if isinstance(said, list) else "json"
    predictions = write(folder / f"said.{suffix}", said)
    return score(BENCHMARKS.get(benchmark), predictions, write(folder / name, given), **options)


def values(result: Scored) -> dict[str, dict[str, float]]:
    """Scores by variant and metric."""
    found: dict[str, dict[str, float]] = result.record()["variants"]
    return found


def rows(result: Scored, column: str) -> Sequence[float]:
    """The values of the items in one column of the per-item file."""
    return [row[column] for row in result.per_item()]
