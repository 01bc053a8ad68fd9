"""A migrated MLflow database, made once and copied: migrations cost seconds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from vantage.registry.store import Store, find_store

sys.path.append(str(Path(__file__).parent.parent / "evaluation"))  # made_workspace


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


def prepared(root: Path, ready: Path) -> Store:
    """The store of the workspace at `root`, its database copied from a ready one."""
    made = find_store(root)
    made.folder.mkdir()
    assert made.database is not None
    shutil.copy(ready, made.database)
    return made
