"""Runs of trained arms and evaluations in MLflow, each recorded once for each digest."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vantage.core.tracking import OpenRun, Tracker
from vantage.registry.live import DIGEST_TAG, LIVE_TAG, LiveRun, log_params
from vantage.registry.store import Store, find_store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

LIVE_VARIABLE = "VANTAGE_LIVE_RUNS"
_METRICS_A_CALL = 1000  # MLflow's limit on one call


class MlflowTracker:
    """`vantage.core.tracking.Tracker` on an MLflow store; `warn` hears once of a server that is away."""

    def __init__(self, store: Store, warn: Callable[[str], None] = lambda _text: None) -> None:
        self.store = store
        self._warn = warn

    def open(self, name: str, key: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> OpenRun:
        """Open a run for work that begins or goes on now; returns at once."""
        tags = {**provenance_tags(self.store.folder.parent), **tags}
        return LiveRun(self.store, name, key, params, tags, self._warn)

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
                self._complete(client, known, params, metrics, tags, history)
                return known
            self._fail_unfinished(client, name, digest)
            run = client.create_run(
                self.store.experiment_id(), run_name=name, tags={**tags, DIGEST_TAG: digest}
            )
            _log(client, run.info.run_id, params, [*_of_history(history), *_final(metrics, len(history))])
            client.set_terminated(run.info.run_id, "FINISHED")
            return str(run.info.run_id)

    def _complete(
        self,
        client: MlflowClient,
        run_id: str,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        history: Sequence[Mapping[str, float]],
    ) -> None:
        """Add to a run that was open while its work went on what is known of the finished output, once."""
        run = client.get_run(run_id)
        if LIVE_TAG not in run.data.tags:
            return
        missing = _of_history(history) if run.data.tags[LIVE_TAG] == "gaps" else []
        known = set(run.data.params)
        _log(client, run_id, params, [*missing, *_final(metrics, len(history))], known)
        for key, value in tags.items():
            client.set_tag(run_id, key, value)
        client.delete_tag(run_id, LIVE_TAG)

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


def training_tracker(workspace: Path, warn: Callable[[str], None]) -> Tracker | None:
    """Where runs of the workspace are shown while they go on; None where nobody watches.

    Somebody does where MLFLOW_TRACKING_URI names a server, or VANTAGE_LIVE_RUNS is 1. Otherwise `promote`
    records the finished runs, and training does not wait for MLflow to start.
    """
    if not os.environ.get("MLFLOW_TRACKING_URI") and os.environ.get(LIVE_VARIABLE) != "1":
        return None
    if importlib.util.find_spec("mlflow") is None:
        warn("MLflow is not installed, so nothing is shown while training; its history is kept")
        return None
    for name, value in (("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"), ("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")):
        os.environ.setdefault(name, value)  # MLflow's own would say after minutes that a server is away
    return MlflowTracker(find_store(workspace), warn)


def _log(
    client: MlflowClient,
    run_id: str,
    params: Mapping[str, str],
    metrics: Sequence[Metric],
    known: set[str] | None = None,
) -> None:
    log_params(client, run_id, params, known or set())
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
