"""An asset for each stage of `dvc.yaml`; its body is `dvc repro` of that stage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.metadata import stage_metadata
from dagster_project.partitions import data_versions, events, sync_scans
from dagster_project.resources import Context, DvcWorkspace
from vantage.pipeline.graph import Stage
from vantage.records.index import IndexRow, read_index

POOL = "dvc"
"""DVC has one writer: the pool's limit, 1 by default, keeps stages of two runs apart."""


def stage_asset(stage: Stage, code_version: str | None = None) -> dg.AssetsDefinition:
    """The asset of a stage.

    Args:
        stage: from the loader.
        code_version: hash of the stage's code, so that Dagster marks the asset when the code changed.
    """

    @dg.asset(
        name=stage.name,
        deps=list(stage.upstream),
        description=stage.desc,
        group_name=stage.group,
        kinds={"dvc"},
        tags={"unit": stage.unit},
        metadata={"command": stage.cmd, "output": stage.out, "resources": stage.resources.model_dump()},
        code_version=code_version,
        pool=POOL,
    )
    def body(context: dg.AssetExecutionContext, workspace: DvcWorkspace) -> dg.MaterializeResult[None]:
        before = workspace.lock_entry(stage.name)
        workspace.repro(stage.name, context)
        entry = workspace.lock_entry(stage.name)
        rows = read_index(workspace.path / stage.out)
        if stage.unit == "scan":
            report_scans(context, stage, rows, whole=True)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(output_hash(entry, stage.out)),
            metadata=stage_metadata(workspace.path, stage, entry, rows, unchanged=entry == before),
        )

    return body


def output_hash(entry: Mapping[str, Any], out: str) -> str:
    """DVC's hash of a stage's output, from the stage's entry in `dvc.lock`."""
    return next(str(found["md5"]) for found in entry["outs"] if Path(found["path"]) == Path(out))


def report_scans(context: Context, stage: Stage, rows: list[IndexRow], whole: bool) -> None:
    """Tell Dagster the state of the scans in `rows`; `whole`: these are all scans that the stage has."""
    if whole and not stage.upstream:
        sync_scans(context.instance, [row.item for row in rows])
    for event in events(stage, rows, data_versions(context.instance, stage.name)):
        context.log_event(event)
