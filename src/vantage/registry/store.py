"""Where MLflow keeps runs, models and aliases: one sqlite database and one artifact folder per workspace.

A fresh MLflow database does not survive two processes that both start its migrations, and MLflow's fluent
functions read and write global state. Both are dealt with here and nowhere else.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from vantage.core.errors import ParameterError

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "vantage"
_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")


@dataclass(frozen=True)
class Store:
    """An MLflow tracking and registry store.

    Attributes:
        uri: of the tracking server or database; absolute.
        folder: the workspace's `mlruns` folder, where locks and, for sqlite, artifacts live.
    """

    uri: str
    folder: Path

    @property
    def database(self) -> Path | None:
        """The sqlite file; None for a server."""
        return Path(self.uri.removeprefix("sqlite:///")) if self.uri.startswith("sqlite:///") else None

    def lock(self) -> FileLock:
        """Held while something must happen once: initialising, recording a digest, moving an alias."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # A singleton may be entered again by the process that holds it.
        return FileLock(self.folder / ".lock", timeout=300, is_singleton=True)

    def exists(self) -> bool:
        """Whether anything was ever recorded here; never creates the database."""
        return self.database is None or self.database.is_file()

    def client(self) -> MlflowClient:
        """A client of the initialised store."""
        self._initialise()
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    def experiment_id(self) -> str:
        """The id of the project's experiment, made on first use."""
        client = self.client()
        with self.lock():
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is not None:
                return str(found.experiment_id)
            place = None if self.database is None else (self.folder / "artifacts").as_uri()
            return str(client.create_experiment(EXPERIMENT, artifact_location=place))

    def _initialise(self) -> None:
        """Make the database, once, whoever comes first: built beside its place and renamed when complete."""
        quiet()
        if self.database is None or self.database.is_file():
            return
        with self.lock():
            if self.database.is_file():
                return
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            self.database.parent.mkdir(parents=True, exist_ok=True)
            beside = self.database.with_name(f".{self.database.name}.new")
            beside.unlink(missing_ok=True)  # left by a kill
            SqlAlchemyStore(f"sqlite:///{beside}", (self.folder / "artifacts").as_uri()).engine.dispose()
            beside.replace(self.database)


def find_store(start: Path) -> Store:
    """The store of the workspace at `start` or above it (the folder with `dvc.yaml`; else `start` itself).

    MLFLOW_TRACKING_URI, when set, names another store: a server, or an absolute sqlite path.

    Raises:
        ParameterError: MLFLOW_TRACKING_URI is a relative path or a file store, which MLflow 3.13 refuses.
    """
    start = start.resolve()
    root = next((folder for folder in (start, *start.parents) if (folder / "dvc.yaml").is_file()), start)
    folder = root / "mlruns"
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return Store(f"sqlite:///{folder / 'mlflow.db'}", folder)
    if not uri.startswith(("http://", "https://", "sqlite:////")) and "+" not in uri.partition(":")[0]:
        raise ParameterError(
            "this MLflow address cannot be used",
            where="environment variable MLFLOW_TRACKING_URI",
            expected="http(s)://..., sqlite:////absolute/path.db, or unset for the workspace's own database",
            found=uri,
        )
    return Store(uri, folder)


def quiet() -> None:
    """No usage reports to third parties, and migrations that do not fill the terminal."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for name in ("alembic", "mlflow.store.db.utils"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def fluent(store: Store) -> Iterator[Any]:
    """The module `mlflow` with its global addresses set to `store`; they and their variables are put back.

    So is the search path: a model loaded here puts the code it carries first, and a process started later
    would find that part of the package in the place of the whole.
    """
    store.experiment_id()
    import mlflow
    from mlflow.tracking._model_registry import utils as registry_state
    from mlflow.tracking._tracking_service import utils as tracking_state

    before = {name: os.environ.get(name) for name in _VARIABLES}
    former = tracking_state._tracking_uri, registry_state._registry_uri
    path = list(sys.path)
    mlflow.set_tracking_uri(store.uri)
    mlflow.set_registry_uri(store.uri)
    try:
        yield mlflow
    finally:
        tracking_state._tracking_uri, registry_state._registry_uri = former
        sys.path[:] = path
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
