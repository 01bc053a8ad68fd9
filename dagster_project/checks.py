"""Contracts as asset checks: what a person should look at, and what must stop the stages that follow."""

from collections.abc import Iterator

import dagster as dg

from dagster_project.metadata import set_aside_table
from dagster_project.resources import DvcWorkspace
from vantage.core.errors import ContractError
from vantage.pipeline.graph import Pipeline, Stage
from vantage.records.index import read_index

SHOWN = 10


def set_aside_check(stage: Stage) -> dg.AssetChecksDefinition:
    """A warning that names the scans a stage set aside, and why."""

    @dg.asset_check(asset=stage.name, name="set_aside", description="No scan was set aside.")
    def check(workspace: DvcWorkspace) -> dg.AssetCheckResult:
        rows = [row for row in read_index(workspace.path / stage.out) if row.status == "set_aside"]
        names = ", ".join(row.item for row in rows[:SHOWN]) + (", ..." if len(rows) > SHOWN else "")
        return dg.AssetCheckResult(
            passed=not rows,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{len(rows)} set aside: {names}" if rows else "none",
            metadata={"scans": len(rows), **({"reasons": set_aside_table(rows)} if rows else {})},
        )

    return check
