"""Materialising in Dagster does what `dvc repro` does, and tells the state of every scan."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import dagster_project.checks
import pytest
from dagster._core.definitions.data_version import extract_data_version_from_entry
from dagster_checks import outcome
from dagster_project.partitions import data_versions, scan_key
from dvc_small import DvcSmall, prepared

from vantage.records.index import read_index

REPOSITORY = Path(__file__).resolve().parents[2]


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, object]:
    events = result.asset_materializations_for_node(asset)
    (event,) = [event for event in events if event.asset_key == dg.AssetKey(asset)]
    return {name: value.value for name, value in event.metadata.items()}


def version(instance: dg.DagsterInstance, asset: str) -> str:
    event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None
    found = extract_data_version_from_entry(event)
    assert found is not None
    return found.value


def told(result: dg.ExecuteInProcessResult, asset: str) -> set[str | None]:
    """Scans whose output the run reported as new."""
    events = [e for e in result.all_events if e.is_step_materialization and e.asset_key == scan_key(asset)]
    return {event.partition for event in events}


def test_a_run_is_a_dvc_repro_with_the_hash_of_each_scan(dvc_small: DvcSmall, tmp_path: Path) -> None:
    instance, result = dvc_small.instance, dvc_small.run()
    assert result.success
    by_dvc = DvcSmall(prepared(tmp_path / "by_dvc"), instance)
    by_dvc.dvc("repro")
    assert dvc_small.lock() == by_dvc.lock()
    assert "up to date" in dvc_small.dvc("status")

    outs = dvc_small.lock()["stages"]["total"]["outs"]  # type: ignore[index]
    assert version(instance, "total") == outs[0]["md5"]
    shown = metadata(result, "total")
    assert (shown["unchanged"], shown["arms"], shown["files"]) == (False, 2, 4)
    assert shown["facts"] == {"arms": 2}

    rows = read_index(dvc_small.root / "data" / "doubled")
    assert set(instance.get_dynamic_partitions("scan")) == {"scan0", "scan1", "scan2", "scan3"}
    assert data_versions(instance, "double") == {row.item: row.digest for row in rows}

    again = dvc_small.run()
    assert again.success
    assert metadata(again, "total")["unchanged"] is True
    assert version(instance, "total") == outs[0]["md5"]
    assert told(again, "double") == set()


def test_a_scan_set_aside_is_a_warning_that_names_it_and_stops_nobody(dvc_small: DvcSmall) -> None:
    dvc_small.params(contracts={"max_set_aside_share": 0.5}, double={"misdeeds": {"scan2": "aside"}})
    result = dvc_small.run()
    assert result.success
    check = outcome(result, "double", "set_aside")
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description is not None
    assert "scan2" in check.description
    assert "cannot be doubled" in str(check.metadata["reasons"].value)
    assert outcome(result, "make", "set_aside").passed
    assert set(data_versions(dvc_small.instance, "double")) == {"scan0", "scan1", "scan3"}
    observed = dvc_small.instance.fetch_observations(scan_key("double"), limit=5).records
    assert [record.partition_key for record in observed] == ["scan2"]
    assert "up to date" in dvc_small.dvc("status")


def test_too_many_set_aside_block_what_follows_with_the_reason(dvc_small: DvcSmall) -> None:
    dvc_small.params(double={"misdeeds": {"scan1": "aside", "scan2": "aside"}})
    result = dvc_small.run()
    assert not result.success
    failure = result.failure_data_for_node("double")
    assert failure is not None
    text = str(failure.user_failure_data.description)  # type: ignore[union-attr]
    assert "scan1: cannot be doubled" in text
    assert "max_set_aside_share" in text
    assert not result.asset_materializations_for_node("total")
    assert not (dvc_small.root / "reports" / "total").exists()


def test_a_broken_contract_blocks_what_follows(dvc_small: DvcSmall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dagster_project.checks, "contract_of", lambda stage: "test_dagster_runs:refuse_scan1")
    result = dvc_small.run()
    assert not result.success
    check = outcome(result, "make", "contract")
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert check.description is not None
    assert "scan1" in check.description
    assert "not this one" in check.description
    assert not (dvc_small.root / "data" / "doubled").exists()


def refuse_scan1(folder: Path) -> None:
    from vantage.core.errors import ContractError

    if folder.name == "scan1":
        raise ContractError("not this one")


def test_chosen_scans_wait_for_the_others_and_then_commit(dvc_small: DvcSmall) -> None:
    job, instance = dvc_small.job("some_scans"), dvc_small.instance
    instance.add_dynamic_partitions("scan", ["scan1"])
    result = job.execute_in_process(instance=instance, partition_key="scan1")
    assert result.success
    assert set(data_versions(instance, "make")) == {"scan1"}
    assert not (dvc_small.root / "dvc.lock").exists()
    assert result.get_step_skipped_events()[0].step_key == "scans_double"

    rest = {"resources": {"choice": {"config": {"scans": ["scan0", "scan2", "scan3"]}}}}
    result = job.execute_in_process(instance=instance, run_config=rest)
    assert result.success
    assert not result.get_step_skipped_events()
    # The three that were chosen went through both stages, the first one through `make` alone.
    assert set(data_versions(instance, "double")) == {"scan0", "scan2", "scan3"}
    assert set(dvc_small.lock()["stages"]) == {"make"}  # type: ignore[arg-type]
    assert dvc_small.run().success
    assert "up to date" in dvc_small.dvc("status")


def test_command_line_with_a_string_selection(dvc_small: DvcSmall) -> None:
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", "+double"]
    env = {
        **os.environ,
        "VANTAGE_WORKSPACE": str(dvc_small.root),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")]),
        "DO_NOT_TRACK": "1",
    }
    env.pop("DAGSTER_HOME", None)
    done = subprocess.run(
        [*command, "-m", "dagster_project.definitions"],
        cwd=dvc_small.root,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert set(dvc_small.lock()["stages"]) == {"make", "double"}  # type: ignore[arg-type]
