"""A migrated MLflow database, made once and copied: migrations cost seconds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parent.parent / "evaluation"), str(Path(__file__).parent)]

from small_store import prepared

from vantage.registry.store import Store, find_store


@pytest.fixture(scope="session")
def ready_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh, migrated database without experiments of this project."""
    store = find_store(tmp_path_factory.mktemp("template"))
    store.client()
    assert store.database is not None
    return store.database


@pytest.fixture
def store(ready_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store of an empty workspace with a database of its own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    return prepared(tmp_path, ready_database)
