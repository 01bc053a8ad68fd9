"""The store: found from the workspace, initialised once however many ask, global state put back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vantage.core.errors import ParameterError
from vantage.registry.store import Store, find_store, fluent

FIRST_USE = """
import sys
from pathlib import Path
from vantage.registry.store import find_store
store = find_store(Path(sys.argv[1]))
print(store.experiment_id(), store.client().create_run(store.experiment_id()).info.status)
"""


def test_two_processes_on_a_fresh_database(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FIRST_USE, str(tmp_path)]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW")}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert {out.split()[-1] for out, _ in answers} == {"RUNNING"}
    assert len({out.split()[0] for out, _ in answers}) == 1, "two experiments of one name"
    assert not list((tmp_path / "mlruns").glob("*.new"))


def test_a_half_made_database_of_a_killed_process_is_made_anew(tmp_path: Path) -> None:
    store = find_store(tmp_path)
    assert not store.exists()
    store.folder.mkdir()
    (store.folder / ".mlflow.db.new").write_bytes(b"half")
    assert store.client().search_registered_models() == []
    assert store.exists()


def test_found_from_below_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "dvc.yaml").touch()
    deep = tmp_path / "models" / "arms"
    deep.mkdir(parents=True)
    store = find_store(deep)
    assert store.folder == tmp_path / "mlruns"
    assert store.uri == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert store.database == tmp_path / "mlruns" / "mlflow.db"


def test_the_variable_names_another_store_but_no_file_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert find_store(tmp_path).uri == "http://127.0.0.1:5000"
    assert find_store(tmp_path).database is None
    for refused in ("./mlruns", "file:/tmp/mlruns", "sqlite:///relative.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", refused)
        with pytest.raises(ParameterError, match="cannot be used"):
            find_store(tmp_path)


def test_global_addresses_are_put_back(store: Store) -> None:
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    with fluent(store) as module:
        assert module.get_tracking_uri() == module.get_registry_uri() == store.uri
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert "MLFLOW_REGISTRY_URI" not in os.environ
