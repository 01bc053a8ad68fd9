"""The real pipeline in Dagster: the same bytes as `dvc repro`, every contract kept, every scan told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import tiny
import yaml
from tiny import REPOSITORY, STAGES, Tiny

sys.path.insert(0, str(REPOSITORY))

from dagster_project.definitions import build
from dagster_project.partitions import data_versions

from vantage.pipeline.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pipeline")]


def test_materialising_everything_gives_the_bytes_of_dvc_repro(
    finished: Tiny,
    tmp_path: Path,
    contents: Callable[[Path], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = tiny.environment()
    monkeypatch.setattr("os.environ", {**own, "DAGSTER_HOME": ""})
    workspace = tiny.make(tmp_path / "workspace")
    job = build(Workspace(workspace.root)).resolve_job_def("pipeline")
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        result = job.execute_in_process(instance=instance)
        assert result.success
        assert all(check.passed for check in result.get_asset_check_evaluations())
        for stage in STAGES[:5]:
            rows = workspace.rows(stage)
            assert data_versions(instance, stage) == {name: row.digest for name, row in rows.items()}

    locks = [yaml.safe_load((one.root / "dvc.lock").read_text()) for one in (workspace, finished)]
    assert locks[0] == locks[1]
    for stage in STAGES:
        assert contents(workspace.out(stage)) == contents(finished.out(stage)), stage
    assert "up to date" in workspace.dvc("status").stdout
    assert workspace.dvc("repro").stdout.count("didn't change, skipping") == len(STAGES)
    assert runs_of(workspace.root) == {result.run_id}


def runs_of(root: Path) -> set[str]:
    """Dagster runs that the workspace's MLflow runs are tagged with."""
    from vantage.registry.store import find_store

    store = find_store(root)
    runs = store.client().search_runs([store.experiment_id()])
    assert runs
    return {run.data.tags["dagster_run_id"] for run in runs}
