"""Runs are recorded once for each digest, whole, with their history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from vantage.core.tracking import Tracker
from vantage.registry.store import Store
from vantage.registry.tracking import DIGEST_TAG, MlflowTracker, git_commit, provenance_tags

HISTORY = [{"step": float(step), "loss": 2.0 / (step + 1)} for step in range(1200)]


def record(tracker: Tracker, digest: str) -> str:
    return tracker.record(
        "embedding",
        digest,
        params={"steps": "400", "note": "x" * 200},
        metrics={"em_raw.embedding@blind.exist": 81.0},
        tags={"git_commit": "abc"},
        history=HISTORY,
    )


def test_a_run_is_recorded_once_with_everything(store: Store) -> None:
    tracker = MlflowTracker(store)
    first = record(tracker, "d1")
    assert record(tracker, "d1") == first
    assert record(tracker, "d2") != first
    client = store.client()
    run = client.get_run(first)
    assert run.info.status == "FINISHED"
    assert run.data.params["steps"] == "400"
    assert run.data.tags[DIGEST_TAG] == "d1"
    assert run.data.metrics["em_raw.embedding at blind.exist"] == 81.0
    assert len(client.get_metric_history(first, "loss")) == len(HISTORY), "more points than one call takes"


def test_a_run_that_a_kill_left_behind_is_failed_and_recorded_anew(store: Store) -> None:
    client = store.client()
    left = client.create_run(store.experiment_id(), run_name="embedding", tags={DIGEST_TAG: "d1"}).info.run_id
    made = record(MlflowTracker(store), "d1")
    assert made != left
    assert client.get_run(left).info.status == "FAILED"


def test_nothing_is_created_by_looking(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/mlruns/mlflow.db", tmp_path / "mlruns")
    assert MlflowTracker(store).find("d1") is None
    assert not (tmp_path / "mlruns").exists()


def test_git_commit_of_a_checkout_and_of_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert git_commit(tmp_path) == "unknown"

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        command = ["git", *identity, "-C", str(tmp_path), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "one")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a").write_text("2")
    assert git_commit(tmp_path) == git("rev-parse", "HEAD") + "-dirty"
    monkeypatch.setenv("VANTAGE_DAGSTER_RUN_ID", "run-7")
    assert provenance_tags(tmp_path)["dagster_run_id"] == "run-7"
