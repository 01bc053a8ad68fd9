"""What Dagster loads: `dagster dev -m dagster_project.definitions`, from the workspace's folder."""

from __future__ import annotations

import dagster as dg

from dagster_project.assets import stage_asset
from dagster_project.checks import set_aside_check
from dagster_project.jobs import ScanChoice, pipeline_job, scans_job
from dagster_project.partitions import scan_spec
from dagster_project.resources import DvcWorkspace
from dagster_project.schedules import weekly_schedule
from vantage.pipeline.code import code_hash
from vantage.pipeline.graph import load_pipeline
from vantage.pipeline.stages import STAGES
from vantage.pipeline.workspace import Workspace, find_workspace


def build(workspace: Workspace) -> dg.Definitions:
    """All definitions for one workspace, from its `dvc.yaml`."""
    pipeline = load_pipeline(workspace.root)
    versions = {name: code_hash(body.modules()) for name, body in STAGES.items()}
    scan_stages = [stage for stage in pipeline.stages if stage.unit == "scan"]
    return dg.Definitions(
        assets=[
            *(stage_asset(stage, versions.get(stage.name)) for stage in pipeline.stages),
            *(scan_spec(stage) for stage in scan_stages),
        ],
        asset_checks=[set_aside_check(stage) for stage in scan_stages],
        jobs=[pipeline_job(pipeline), scans_job(pipeline)],
        schedules=[weekly_schedule()],
        resources={"workspace": DvcWorkspace(root=str(workspace.root)), "choice": ScanChoice()},
        # Stages are processes that spread their own work; a process for each step on top costs 3 s and nothing else.
        executor=dg.in_process_executor,
    )


defs = build(find_workspace())
