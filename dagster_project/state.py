"""What the runner knows about a stage: facts of its output, and which scans are current."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vantage.pipeline.graph import Pipeline, Stage
from vantage.pipeline.outputs import describe_output
from vantage.pipeline.params import load_params
from vantage.pipeline.plan import make_plan
from vantage.pipeline.provenance import recorded
from vantage.pipeline.stages import Table
from vantage.pipeline.workspace import Workspace
from vantage.records.index import IndexRow


def current_rows(root: Path, pipeline: Pipeline, stage: str, table: Table) -> tuple[list[IndexRow], bool]:
    """Items of a stage that are finished under the present parameters, code and inputs.

    Args:
        root: the workspace.
        pipeline: its pipeline.
        stage: a stage whose upstream outputs are there.
        table: where bodies and configurations are found.

    Returns:
        A row for each such item, sorted, and whether these are all items that the stage has.
    """
    params = load_params(root, table=table)
    plan = make_plan(Workspace(root), pipeline, stage, params, table)
    found = plan.look_up(verify=False)
    rows = [IndexRow(m.item, m.status, m.digest, m.reason) for m in found.values()]
    return sorted(rows), len(rows) == len(plan.items)


def output_facts(root: Path, stage: Stage) -> Mapping[str, float | str]:
    """Facts that a stage's body told, added up over its items, with those of its finishing step."""
    told = recorded(Workspace(root), describe_output(root / stage.out).digest) or {}
    items = [item.get("facts", {}) for item in told.get("items", {}).values()]
    return {**(items[0] if len(items) == 1 else _sums(items)), **told.get("facts", {})}


def _sums(items: Sequence[Mapping[str, object]]) -> dict[str, float | str]:
    """Whole numbers are counts and are added; other values say something about one item only."""
    sums: dict[str, float | str] = {}
    for facts in items:
        for name, value in facts.items():
            if isinstance(value, int) and not isinstance(value, bool):
                sums[name] = int(sums.get(name, 0)) + value
    return sums
