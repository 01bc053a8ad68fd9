"""What a materialisation shows: counts, scans set aside, sizes, facts, reports, links to MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.state import output_facts
from vantage.pipeline.graph import Stage
from vantage.records.capture import Capture
from vantage.records.index import IndexRow

MLFLOW_UI = "VANTAGE_MLFLOW_UI"
"""The variable with the address of MLflow's pages, for links; `make ui` sets it."""

_REPORT_CHARACTERS = 20_000
_ROWS = 200


def stage_metadata(
    workspace: Path, stage: Stage, entry: Mapping[str, Any], rows: Sequence[IndexRow], unchanged: bool
) -> dict[str, Any]:
    """Metadata of a stage's materialisation.

    Args:
        workspace: its folder.
        stage: the stage.
        entry: its entry in `dvc.lock`.
        rows: its index.
        unchanged: whether `dvc.lock` was so before.
    """
    out, aside = entry["outs"][0], [row for row in rows if row.status == "set_aside"]
    shown: dict[str, Any] = {
        "unchanged": unchanged,
        "output": dg.MetadataValue.path(str(workspace / stage.out)),
        "size_mb": round(int(out.get("size", 0)) / 1e6, 3),
        "files": int(out.get("nfiles", 1)),
    }
    if stage.unit != "run":
        shown[f"{stage.unit}s"] = len(rows) - len(aside)
        shown["set_aside"] = len(aside)
    if aside:
        shown["set_aside_reasons"] = set_aside_table(aside)
    if facts := output_facts(workspace, stage):
        shown["facts"] = dg.MetadataValue.json(dict(facts))
    return shown | _reports(workspace / stage.out) | _links(workspace, stage, rows)


def set_aside_table(rows: Sequence[IndexRow]) -> dg.MetadataValue[Any]:
    """Scans and reasons as a table."""
    lines = [f"| {row.item} | {_cell(row.reason)} |" for row in rows]
    return dg.MetadataValue.md("\n".join(["| scan | reason |", "|---|---|", *lines]))


def capture_table(found: Mapping[str, Capture]) -> dg.MetadataValue[Any]:
    """What was found of each scan as a table, the least agreement first."""
    rows = sorted(found.items(), key=lambda pair: (not pair[1].settings, pair[1].share, pair[0]))
    lines = [
        f"| {name} | {capture.verdict} | {capture.share:.2f} | {capture.pairs} | {_cell(capture.text)} |"
        for name, capture in rows[:_ROWS]
    ]
    head = ["| scan | verdict | within 5 cm | pairs | found |", "|---|---|---|---|---|"]
    return dg.MetadataValue.md("\n".join([*head, *lines]))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _reports(folder: Path) -> dict[str, Any]:
    """Reports that a finishing step wrote for people."""
    return {
        path.stem: dg.MetadataValue.md(path.read_text("utf-8")[:_REPORT_CHARACTERS])
        for path in sorted(folder.glob("*.md"))
    }


def _links(workspace: Path, stage: Stage, rows: Sequence[IndexRow]) -> dict[str, Any]:
    """MLflow's pages: of each arm that has a run there, and of all runs and models after work done once."""
    address = os.environ.get(MLFLOW_UI)
    if not address or stage.unit == "scan":
        return {}
    from vantage.registry.store import find_store
    from vantage.registry.tracking import MlflowTracker

    store = find_store(workspace)
    if not store.exists():
        return {}
    pages = f"{address}/#/experiments/{store.experiment_id()}/runs"
    if stage.unit == "run":
        links = {"mlflow_runs": pages, "mlflow_models": f"{address}/#/models"}
    else:
        tracker = MlflowTracker(store)
        found = {row.item: tracker.find(row.digest) for row in rows if row.digest}
        links = {
            f"mlflow_{name.replace('@', '_at_')}": f"{pages}/{run}" for name, run in found.items() if run
        }
    return {name: dg.MetadataValue.url(link) for name, link in links.items()}
