"""The weekly run of the pipeline; off until somebody turns it on."""

from __future__ import annotations

import dagster as dg

from dagster_project.jobs import PIPELINE_JOB

WEEKLY = "0 3 * * 1"
"""Mondays at three in the morning, UTC."""


def weekly_schedule() -> dg.ScheduleDefinition:
    """Everything that is out of date, once a week."""
    return dg.ScheduleDefinition(
        name="weekly",
        job_name=PIPELINE_JOB,
        cron_schedule=WEEKLY,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="The pipeline, Mondays at 03:00 UTC. Off until turned on.",
    )
