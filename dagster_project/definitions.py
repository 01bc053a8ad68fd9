"""What Dagster loads: `dagster dev -m dagster_project.definitions`, from the workspace's folder."""

from __future__ import annotations

import dagster as dg

from dagster_project.assets import stage_asset
from dagster_project.checks import capture_check, contract_check, set_aside_check
from dagster_project.jobs import ScanChoice, pipeline_job, scans_job
from dagster_project.partitions import scan_spec
from dagster_project.resources import DvcWorkspace
from dagster_project.schedules import weekly_schedule
from vantage.pipeline.code import code_hash
from vantage.pipeline.contracts import contract_of
from vantage.pipeline.graph import Stage, load_pipeline
from vantage.pipeline.stages import STAGES, Table
from vantage.pipeline.workspace import Workspace, find_workspace


def build(workspace: Workspace, table: Table = STAGES) -> dg.Definitions:
    """All definitions for one workspace, from its `dvc.yaml`; `table` holds the stages' bodies."""
    pipeline = load_pipeline(workspace.root)
    scan_stages = [stage for stage in pipeline.stages if stage.unit == "scan"]
    return dg.Definitions(
        assets=[
            *(stage_asset(stage, code_version(stage, table)) for stage in pipeline.stages),
            *(scan_spec(stage) for stage in scan_stages),
        ],
        asset_checks=[
            *(contract_check(stage) for stage in pipeline.stages),
            *(set_aside_check(stage) for stage in scan_stages),
            *(capture_check(stage) for stage in scan_stages if stage.contract == "frames"),
        ],
        jobs=[pipeline_job(pipeline), scans_job(pipeline, table)],
        schedules=[weekly_schedule()],
        resources={"workspace": DvcWorkspace(root=str(workspace.root)), "choice": ScanChoice()},
        # Stages are processes that spread their own work; one more for each step would only cost 3 s.
        executor=dg.in_process_executor,
    )


def code_version(stage: Stage, table: Table) -> str | None:
    """Hash of a stage's code, as the runner computes it; None for a stage that has no body here."""
    if stage.name not in table:
        return None
    return code_hash([*table[stage.name].modules(), contract_of(stage).partition(":")[0]])


defs = build(find_workspace())
