"""The real pipeline in Dagster: the same bytes as `dvc repro`, every contract kept, every scan told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import tiny
import yaml
from dagster_checks import outcome
from tiny import REPOSITORY, STAGES, Tiny

sys.path.insert(0, str(REPOSITORY))

from dagster_project.definitions import build
from dagster_project.partitions import data_versions, scan_key

from vantage.pipeline.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance of Dagster that has seen nothing yet, and this checkout's code in what it starts."""
    monkeypatch.setattr("os.environ", {**tiny.environment(), "DAGSTER_HOME": ""})
    home = tmp_path / "home"
    home.mkdir()
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


def materialise(workspace: Tiny, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Every asset of the workspace, in one run that succeeds."""
    job = build(Workspace(workspace.root)).resolve_job_def("pipeline")
    result = job.execute_in_process(instance=instance)
    assert result.success
    return result


def test_materialising_everything_gives_the_bytes_of_dvc_repro(
    finished: Tiny,
    tmp_path: Path,
    contents: Callable[[Path], dict[str, bytes]],
    instance: dg.DagsterInstance,
) -> None:
    workspace = tiny.make(tmp_path / "workspace")
    result = materialise(workspace, instance)
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


def test_an_unreadable_scan_is_warned_of_and_the_rest_is_registered(
    finished: Tiny, copied: Tiny, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    bad = "room0002_00"
    copied.take_captures(finished.out("download"), tmp_path / "captures", unreadable=bad)
    result = materialise(copied, instance)

    reason = copied.rows("extract")[bad].reason
    assert copied.rows("extract")[bad].status == "set_aside" and reason
    check = outcome(result, "extract", "set_aside")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert bad in str(check.description)
    assert reason.replace("|", "\\|") in str(check.metadata["reasons"].value)
    others = [e for e in result.get_asset_check_evaluations() if e.severity is dg.AssetCheckSeverity.ERROR]
    assert {e.asset_key.to_user_string() for e in others} == set(STAGES)
    assert all(e.passed for e in others), "the contracts hold on every scan that remains"

    for stage in ("extract", "lift", "recover", "synthesize"):
        rest = {name: row for name, row in finished.rows(stage).items() if name != bad}
        assert {name: row for name, row in copied.rows(stage).items() if name != bad} == rest, stage
        assert data_versions(instance, stage) == {name: row.digest for name, row in rest.items()}
    observed = instance.fetch_observations(scan_key("extract"), limit=9).records
    assert [record.partition_key for record in observed] == [bad]

    assert copied.state()["promote"]["state"] == "fresh"
    assert copied.registered_model() != finished.registered_model(), "trained on five rooms, not six"
    assert "up to date" in copied.dvc("status").stdout


def runs_of(root: Path) -> set[str]:
    """Dagster runs that the workspace's MLflow runs are tagged with."""
    from vantage.registry.store import find_store

    store = find_store(root)
    runs = store.client().search_runs([store.experiment_id()])
    assert runs
    return {run.data.tags["dagster_run_id"] for run in runs}
