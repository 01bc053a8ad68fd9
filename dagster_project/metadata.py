"""What a materialisation shows: counts, the scans that were set aside, sizes, links and the stage's summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from vantage.pipeline.graph import Stage
from vantage.records.index import IndexRow


def stage_metadata(
    workspace: Path,
    stage: Stage,
    entry: Mapping[str, Any],
    rows: Sequence[IndexRow],
    unchanged: bool,
) -> dict[str, Any]:
    """Metadata of a stage's materialisation.

    Args:
        workspace: its folder.
        stage: the stage.
        entry: its entry in `dvc.lock`.
        rows: its index; empty for work done once.
        unchanged: whether `dvc.lock` was so before.
    """
    out = entry["outs"][0]
    shown: dict[str, Any] = {
        "unchanged": unchanged,
        "output": dg.MetadataValue.path(str(workspace / stage.out)),
        "size_mb": round(int(out.get("size", 0)) / 1e6, 3),
        "files": int(out.get("nfiles", 1)),
    }
    if rows:
        unit = {"scan": "scans", "arm": "arms"}[stage.unit]
        aside = [row for row in rows if row.status == "set_aside"]
        shown[unit] = len(rows) - len(aside)
        shown["set_aside"] = len(aside)
        if aside:
            shown["set_aside_reasons"] = set_aside_table(aside)
    return shown


def set_aside_table(rows: Sequence[IndexRow]) -> dg.MetadataValue:
    """Scans and reasons as a table."""
    return dg.MetadataValue.md(
        "\n".join(["| scan | reason |", "|---|---|", *(f"| {row.item} | {_cell(row.reason)} |" for row in rows)])
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
