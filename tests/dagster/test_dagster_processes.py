"""A stage's process: what it is told, what remains of it, and that nothing is left behind."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster_project.metadata import MLFLOW_UI, stage_metadata
from dagster_project.resources import DvcWorkspace, _process_group

from vantage.pipeline.graph import load_pipeline
from vantage.records.index import IndexRow
from vantage.registry.store import find_store
from vantage.registry.tracking import MlflowTracker

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_stage_knows_its_run_and_a_failure_shows_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "fail.py").write_text(
        "import os, sys; print('run', os.environ['VANTAGE_DAGSTER_RUN_ID']); sys.exit('no such luck')"
    )
    seen: list[str] = []

    @dg.op
    def body(context: dg.OpExecutionContext, workspace: DvcWorkspace) -> None:
        seen.append(context.run_id)
        workspace.run_scans(f"{sys.executable} fail.py", ["a b"], context)

    @dg.job(resource_defs={"workspace": DvcWorkspace(root=str(tmp_path))})
    def job() -> None:
        body()

    result = job.execute_in_process(raise_on_error=False)
    failure = result.failure_data_for_node("body")
    assert failure is not None
    assert failure.user_failure_data is not None
    first, *rest = str(failure.user_failure_data.description).splitlines()
    assert first == f"`{sys.executable} fail.py --scan 'a b'` ended with exit code 1:"
    assert rest == [f"run {seen[0]}", "no such luck"]


def test_a_run_that_is_stopped_ends_the_whole_group(tmp_path: Path) -> None:
    child = f"import time, pathlib; pathlib.Path({str(tmp_path / 'started')!r}).touch(); time.sleep(100)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with (
        pytest.raises(KeyboardInterrupt),
        _process_group([sys.executable, "-c", parent], tmp_path, "run") as process,
    ):
        while not (tmp_path / "started").exists():
            time.sleep(0.05)
        group = process.pid
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.killpg(group, 0)
            time.sleep(0.05)


def test_a_materialisation_links_to_the_arms_in_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text((REPOSITORY / "dvc.yaml").read_text())
    arms = tmp_path / "models" / "arms"
    arms.mkdir(parents=True)
    (arms / "index.jsonl").write_text("")
    (arms / "report.md").write_text("# Arms")
    tracker = MlflowTracker(find_store(tmp_path))
    run = tracker.record("plain", "d1", params={}, metrics={}, tags={})
    monkeypatch.setenv(MLFLOW_UI, "http://127.0.0.1:5000")
    rows = [IndexRow("embedding@blind", "done", "d2"), IndexRow("plain", "done", "d1")]
    stage = load_pipeline(tmp_path).stage("finetune")
    entry = {"outs": [{"path": "models/arms", "md5": "m.dir", "size": 2_500_000, "nfiles": 3}]}
    shown = stage_metadata(tmp_path, stage, entry, rows, unchanged=False)
    assert shown["mlflow_plain"].value.endswith(f"/runs/{run}")
    assert "mlflow_embedding_at_blind" not in shown
    once = stage_metadata(tmp_path, stage.model_copy(update={"unit": "run"}), entry, [], unchanged=False)
    assert once["mlflow_models"].value == "http://127.0.0.1:5000/#/models"
    assert (shown["arms"], shown["size_mb"], shown["files"]) == (2, 2.5, 3)
    assert shown["report"].value == "# Arms"


def ui(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "infra" / "ui.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("option", "name"), [("--dagster-port", "Dagster"), ("--mlflow-port", "MLflow")])
def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path, option: str, name: str) -> None:
    (tmp_path / "dvc.yaml").touch()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        done = ui(
            "--workspace", str(tmp_path), "--dagster-port", "0", "--mlflow-port", "0", option, str(port)
        )
    assert done.returncode == 1
    assert f"port {port}, which {name} needs, is in use" in done.stderr
    assert f"{option} {port + 1}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".dagster").exists()


def test_a_folder_that_is_no_workspace_is_refused(tmp_path: Path) -> None:
    done = ui("--workspace", str(tmp_path), "--dagster-port", "0", "--mlflow-port", "0")
    assert done.returncode == 1
    assert "no workspace" in done.stderr
    assert list(tmp_path.iterdir()) == []
