"""`vantage ls`."""

from __future__ import annotations

import json as json_text
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vantage.pipeline.estimate import duration
from vantage.pipeline.freshness import StageStatus, pipeline_status
from vantage.pipeline.workspace import find_workspace

_COLORS = {"fresh": "green", "stale": "yellow", "missing": "red", "unknown": "cyan"}


def list_stages(json: bool, workspace: Path | None) -> None:
    """Print the state of every stage to standard output."""
    states = pipeline_status(find_workspace(workspace))
    if json:
        sys.stdout.write(json_text.dumps([as_json(state) for state in states], indent=2) + "\n")
        return
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(as_table(states))


def as_json(state: StageStatus) -> dict[str, object]:
    """A stage's state for machines."""
    return {
        "stage": state.stage.name,
        "unit": state.stage.unit,
        "out": state.stage.out,
        "state": state.state,
        "why": state.why,
        "done": state.done,
        "set_aside": state.set_aside,
        "pending": state.pending,
        "ended": state.ended,
        "digest": state.digest,
    }


def as_table(states: list[StageStatus]) -> Table:
    """All stages for a person."""
    table = Table("stage", "unit", "done", "set aside", "to do", "state", "last run", "output", box=None)
    for state in states:
        why = f" ({state.why})" if state.why else ""
        table.add_row(
            state.stage.name,
            state.stage.unit,
            str(state.done),
            str(state.set_aside) if state.set_aside else "",
            "?" if state.pending is None else str(state.pending or ""),
            f"[{_COLORS[state.state]}]{state.state}[/]{why}",
            _ago(state.ended),
            state.stage.out,
        )
    return table


def _ago(ended: str) -> str:
    if not ended:
        return ""
    return f"{duration((datetime.now(UTC) - datetime.fromisoformat(ended)).total_seconds())} ago"
