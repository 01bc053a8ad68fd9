"""Jobs: the whole pipeline, and chosen scans only."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from dagster_project.assets import POOL, report_scans
from dagster_project.partitions import SCANS
from dagster_project.resources import DvcWorkspace
from dagster_project.state import current_rows
from vantage.pipeline.graph import Pipeline, Stage
from vantage.pipeline.stages import Table

PIPELINE_JOB = "pipeline"
SCANS_JOB = "some_scans"


class ScanChoice(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Scans to run.

    Attributes:
        scans: their ids.
    """

    scans: list[str] = Field(default_factory=list)


def pipeline_job(pipeline: Pipeline) -> UnresolvedAssetJobDefinition:
    """Every stage, in one run: what `dvc repro` does."""
    return dg.define_asset_job(
        PIPELINE_JOB,
        selection=dg.AssetSelection.assets(*(stage.name for stage in pipeline.stages)),
        description="Every stage that is out of date, in one run: what `dvc repro` does.",
    )


def scans_job(pipeline: Pipeline, table: Table) -> dg.JobDefinition:
    """Chosen scans through all scan-unit stages; `dvc.lock` moves only once every scan is current."""
    stages = [stage for stage in pipeline.stages if stage.unit == "scan"]
    ops = {stage.name: _scan_op(pipeline, stage, table) for stage in stages}

    @dg.job(
        name=SCANS_JOB,
        description=(
            "Chosen scans through the stages that work per scan. Launch it for one partition, for many as a "
            "backfill (a run each), or list several scans in the run's configuration (one run)."
        ),
        config=dg.PartitionedConfig(
            partitions_def=SCANS,
            run_config_for_partition_key_fn=_choose,
        ),
    )
    def job() -> None:
        done: dict[str, Any] = {}
        for stage in stages:
            upstream = {name: done[name] for name in stage.upstream if name in ops}
            done[stage.name] = ops[stage.name](**upstream)

    return job


def _choose(scan: str) -> dict[str, Any]:
    return {"resources": {"choice": {"config": {"scans": [scan]}}}}


def _scan_op(pipeline: Pipeline, stage: Stage, table: Table) -> dg.OpDefinition:
    upstream = [pipeline.stage(name) for name in stage.upstream]

    @dg.op(
        name=f"scans_{stage.name}",
        description=f"Chosen scans: {stage.desc}",
        ins={other.name: dg.In(dg.Nothing) for other in upstream if other.unit == "scan"},
        out={"current": dg.Out(dg.Nothing, is_required=False)},
        pool=POOL,
    )
    def body(
        context: dg.OpExecutionContext, workspace: DvcWorkspace, choice: ScanChoice
    ) -> Iterator[dg.Output[None]]:
        if not choice.scans:
            raise dg.Failure(
                "no scan was chosen: list some under resources.choice.config.scans", allow_retries=False
            )
        workspace.run_scans(stage.cmd, choice.scans, context)
        rows, complete = current_rows(workspace.path, pipeline, stage.name, table)
        report_scans(context, stage, [row for row in rows if row.item in choice.scans], whole=False)
        if not complete:
            context.log.info(
                f"{stage.name}: other scans are not current, so its output, dvc.lock and later stages wait; "
                f"materialise {stage.name} to do the rest"
            )
            return
        workspace.repro(stage.name, context)
        yield dg.Output(None, "current")

    return body
