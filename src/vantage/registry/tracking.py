"""Runs of trained arms and evaluations in MLflow, each recorded once for each digest."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vantage.registry.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

DIGEST_TAG = "vantage.digest"
_METRICS_A_CALL = 1000  # MLflow's limits on one call
_ITEMS_A_CALL = 100


class MlflowTracker:
    """`vantage.core.tracking.Tracker` on an MLflow store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def find(self, digest: str, name: str | None = None) -> str | None:
        """Id of the finished run with this digest, of this name if given."""
        if not self.store.exists():
            return None
        where = f"tags.`{DIGEST_TAG}` = '{digest}' and attributes.status = 'FINISHED'"
        where += f" and attributes.run_name = '{name}'" if name else ""
        found = self.store.client().search_runs([self.store.experiment_id()], where, max_results=1)
        return str(found[0].info.run_id) if found else None

    def record(
        self,
        name: str,
        digest: str,
        *,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        history: Sequence[Mapping[str, float]] = (),
    ) -> str:
        """Record a run once for each digest and return its id; a second call with it changes nothing.

        A run that a kill left unfinished is marked as failed and recorded anew.
        """
        client = self.store.client()
        with self.store.lock():
            if (known := self.find(digest, name)) is not None:
                return known
            self._fail_unfinished(client, name, digest)
            run = client.create_run(
                self.store.experiment_id(), run_name=name, tags={**tags, DIGEST_TAG: digest}
            )
            _log(client, run.info.run_id, params, [*_of_history(history), *_final(metrics, len(history))])
            client.set_terminated(run.info.run_id, "FINISHED")
            return str(run.info.run_id)

    def _fail_unfinished(self, client: MlflowClient, name: str, digest: str) -> None:
        where = (
            f"tags.`{DIGEST_TAG}` = '{digest}' and attributes.status = 'RUNNING' "
            f"and attributes.run_name = '{name}'"
        )
        for run in client.search_runs([self.store.experiment_id()], where):
            client.set_terminated(run.info.run_id, "FAILED")


def provenance_tags(folder: Path) -> dict[str, str]:
    """Tags that say where a run comes from: the git commit of `folder`, and Dagster's run if there is one."""
    tags = {"git_commit": git_commit(folder)}
    if run := os.environ.get("VANTAGE_DAGSTER_RUN_ID"):
        tags["dagster_run_id"] = run
    return tags


def git_commit(folder: Path) -> str:
    """Commit of the checkout around `folder`, with `-dirty` if files differ; "unknown" outside of git."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty", "--match="],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip() or "unknown"


def _log(client: MlflowClient, run_id: str, params: Mapping[str, str], metrics: Sequence[Metric]) -> None:
    from mlflow.entities import Param

    entries = [Param(key, str(value)) for key, value in sorted(params.items())]
    for at in range(0, len(entries), _ITEMS_A_CALL):
        client.log_batch(run_id, params=entries[at : at + _ITEMS_A_CALL])
    for at in range(0, len(metrics), _METRICS_A_CALL):
        client.log_batch(run_id, metrics=metrics[at : at + _METRICS_A_CALL])


def _of_history(history: Sequence[Mapping[str, float]]) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [
        Metric(key, float(value), now, int(row["step"]))
        for row in history
        for key, value in row.items()
        if key != "step" and isinstance(value, int | float)
    ]


def _final(metrics: Mapping[str, float], step: int) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(metric_name(key), float(value), now, step) for key, value in metrics.items()]


def metric_name(name: str) -> str:
    """A name that MLflow takes: `@`, which marks a control, becomes ` at `."""
    return name.replace("@", " at ")
