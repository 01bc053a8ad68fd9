"""Jobs: the whole pipeline, and chosen scans only."""

from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from dagster_project.assets import POOL, report_scans
from dagster_project.partitions import SCANS
from dagster_project.resources import DvcWorkspace
from vantage.pipeline.graph import Pipeline, Stage
from vantage.records.index import read_index

PIPELINE_JOB = "pipeline"
SCANS_JOB = "some_scans"


class ScanChoice(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Scans to run.

    Attributes:
        scans: their ids.
    """

    scans: list[str] = []


def pipeline_job(pipeline: Pipeline) -> UnresolvedAssetJobDefinition:
    """Every stage, in one run: what `dvc repro` does."""
    return dg.define_asset_job(
        PIPELINE_JOB,
        selection=dg.AssetSelection.assets(*(stage.name for stage in pipeline.stages)),
        description="Every stage that is out of date, in one run: what `dvc repro` does.",
    )


def scans_job(pipeline: Pipeline) -> dg.JobDefinition:
    """Chosen scans through all scan-unit stages; `dvc.lock` moves only once every scan is current."""
    stages = [stage for stage in pipeline.stages if stage.unit == "scan"]
    ops = {stage.name: _scan_op(stage, {s.name for s in stages}) for stage in stages}

    @dg.job(
        name=SCANS_JOB,
        description=(
            "Chosen scans through the stages that work per scan. Launch it for one partition, for many as a "
            "backfill (a run each), or list several scans in the run's configuration (one run)."
        ),
        config=dg.PartitionedConfig(
            partitions_def=SCANS,
            run_config_for_partition_key_fn=lambda scan: {"resources": {"choice": {"config": {"scans": [scan]}}}},
        ),
    )
    def job() -> None:
        done: dict[str, Any] = {}
        for stage in stages:
            upstream = {name: done[name] for name in stage.upstream if name in ops}
            done[stage.name] = ops[stage.name](**upstream)

    return job


def _scan_op(stage: Stage, known: set[str]) -> dg.OpDefinition:
    @dg.op(
        name=f"scans_{stage.name}",
        description=stage.desc,
        ins={name: dg.In(dg.Nothing) for name in stage.upstream if name in known},
        out=dg.Out(dg.Nothing),
        pool=POOL,
    )
    def body(context: dg.OpExecutionContext, workspace: DvcWorkspace, choice: ScanChoice) -> None:
        workspace.run_scans(stage.cmd, choice.scans, context)
        rows = [row for row in read_index(workspace.path / stage.out) if row.item in choice.scans]
        report_scans(context, stage, rows, whole=False)

    return body
