"""Contracts as asset checks: what a person should look at, and what must stop the stages that follow."""

from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.metadata import capture_table, set_aside_table
from dagster_project.resources import DvcWorkspace
from dagster_project.tables import broken_rows
from vantage.core.errors import ContractError
from vantage.core.names import load
from vantage.pipeline.contracts import contract_of
from vantage.pipeline.graph import Stage
from vantage.records.capture import Capture, read_capture
from vantage.records.index import done_items, read_index

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
            description=f"{len(rows)} set aside: {names}" if rows else "none was set aside",
            metadata={"set_aside": len(rows), **({"reasons": set_aside_table(rows)} if rows else {})},
        )

    return check


def contract_check(stage: Stage) -> dg.AssetChecksDefinition:
    """The stage's contract on every item that remains; where it is broken, nothing downstream runs."""

    @dg.asset_check(
        asset=stage.name,
        name="contract",
        description=f"Every item of {stage.out} keeps the contract `{stage.contract}`.",
        blocking=True,
    )
    def check(workspace: DvcWorkspace) -> dg.AssetCheckResult:
        folder = workspace.path / stage.out
        try:
            items = [row.item for row in read_index(folder) if row.status == "done"]
        except ContractError as error:
            return _verdict([{"item": "index", "error": error.one_line()}], 0)
        broken = broken_items(folder, items, contract_of(stage))
        # A table is looked at as a whole only when every part of it can be read.
        return _verdict(broken or broken_rows(stage.contract, folder, items), len(items))

    return check


def broken_items(folder: Path, items: list[str], contract: str) -> list[dict[str, Any]]:
    """Items that break a contract, given as `"module:function"`, each with the error."""
    holds, broken = load(contract), []
    for item in items:
        try:
            holds(folder / item)
        except ContractError as error:
            broken.append({"item": item, "error": error.one_line()})
    return broken


def capture_check(stage: Stage) -> dg.AssetChecksDefinition:
    """What pairs of frames say of each scan that remains; one that is not what it is taken for blocks."""

    @dg.asset_check(
        asset=stage.name,
        name="capture",
        description="Poses, depth scale and gravity of every scan are what they are taken for.",
        blocking=True,
    )
    def check(workspace: DvcWorkspace) -> dg.AssetCheckResult:
        found, unread = _captures(workspace.path / stage.out)
        wrong = [name for name, capture in found.items() if capture.settings]
        measured = [capture.share for capture in found.values() if capture.pairs]
        text = f"{len(measured)} of {len(found)} scans measured, {len(wrong)} not what they are taken for"
        return dg.AssetCheckResult(
            passed=not wrong and not unread,
            severity=dg.AssetCheckSeverity.ERROR,
            description=", ".join([text, *unread[:1]]),
            metadata={
                "scans": len(found),
                "measured": len(measured),
                "wrong": len(wrong),
                "lowest_share": min(measured, default=0.0),
                "shares": capture_table(found),
            },
        )

    return check


def _captures(folder: Path) -> tuple[dict[str, Capture], list[str]]:
    """The record of each finished scan, and what could not be read."""
    found, unread = {}, []
    try:
        for item in done_items(folder):
            found[item] = read_capture(folder / item)
    except ContractError as error:
        unread.append(error.one_line())
    return found, unread


def _verdict(broken: list[dict[str, Any]], items: int) -> dg.AssetCheckResult:
    first = ", ".join(str(value) for value in broken[0].values() if value) if broken else ""
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{len(broken)} broken, first: {first}" if broken else f"kept by all {items} items",
        metadata={
            "items": items,
            "broken": len(broken),
            "first_broken": dg.MetadataValue.json(broken[:SHOWN]),
        },
    )
