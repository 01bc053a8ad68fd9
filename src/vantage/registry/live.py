"""A run in MLflow while its work goes on: values go out from a thread, and a server away stops nobody.

MLflow's own asynchronous logging waits for its queue when a run ends and retries for minutes; training must
do neither, so the thread is our own, and it sends what has gathered in one call.
"""

from __future__ import annotations

import importlib.util
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vantage.core.errors import ResourceError
from vantage.registry.live_tables import Cell, LiveTable
from vantage.registry.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

KEY_TAG, LIVE_TAG = "vantage.key", "vantage.live"
DIGEST_TAG = "vantage.digest"
_EVERY_S, _CLOSE_S, _AGAIN_S = 1.0, 15.0, 20.0
_HELD, _METRICS_A_CALL, _PARAMS_A_CALL = 100_000, 1000, 100

Value = tuple[str, float, int, int]  # name, value, milliseconds, step


class LiveRun:
    """`vantage.core.tracking.OpenRun` on an MLflow store.

    Args:
        store: where to.
        name: of the run.
        key: under which a killed run goes on.
        params, tags: logged once it is open.
        warn: hears once that values do not arrive.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        key: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
    ) -> None:
        self._store, self._name, self._key = store, name, key
        self._params, self._tags, self._warn = dict(params), dict(tags), warn
        self._values: queue.Queue[Value] = queue.Queue(_HELD)
        self._tables: queue.Queue[LiveTable] = queue.Queue()
        self._unsent: dict[str, LiveTable] = {}
        self._sent: set[Path] = set()
        self._tables_from = 0.0
        self._ending = threading.Event()
        self._digest: str | None = None
        self._lost = self._warned = False
        self._trouble = ""
        self._client: MlflowClient | None = None
        self._run_id = ""
        self._monitor: Any = None
        self._thread = threading.Thread(target=self._send_all, daemon=True, name="tracking")
        self._thread.start()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Values at a step; returns at once, and drops them where too many wait."""
        now = int(time.time() * 1000)
        try:
            for name, value in metrics.items():
                self._values.put_nowait((name, float(value), now, step))
        except queue.Full:
            self._lost = True
        self._tell()

    def table(
        self,
        path: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
        pictures: Mapping[str, Path],
    ) -> None:
        """A table with pictures; returns at once. Of tables with one path the last one counts."""
        self._tables.put(LiveTable(path, columns, rows, pictures))
        self._tell()

    def close(self, digest: str | None) -> None:
        """End the run; waits some seconds for what is on its way, and no longer."""
        self._digest = digest
        self._ending.set()
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            self._trouble = self._trouble or "it does not answer"
        self._tell()

    def _send_all(self) -> None:
        """The thread: open, send what gathers, end; after a failure try again later."""
        from mlflow.exceptions import MlflowException

        waiting: list[Value] = []
        pause = 0.0
        while True:
            ending = self._ending.wait(pause or _EVERY_S)
            while not self._values.empty():
                waiting.append(self._values.get_nowait())
            try:
                self._open()
                self._send(waiting)
                self._send_tables(ending)
                if ending:
                    return self._end()
                pause = 0.0
            except (MlflowException, OSError) as error:  # requests' errors are OSErrors
                self._trouble = _told(error)
                pause = _AGAIN_S
                if len(waiting) > _HELD:
                    self._lost, waiting = True, waiting[-_HELD:]
                if ending:
                    return None

    def _open(self) -> None:
        if self._run_id:
            return
        client = self._client = self._store.client()
        experiment = self._store.experiment_id()
        where = f"tags.`{KEY_TAG}` = '{self._key}' and attributes.status = 'RUNNING'"
        found = client.search_runs([experiment], f"{where} and attributes.run_name = '{self._name}'")
        tags = {**self._tags, KEY_TAG: self._key}
        run = found[0] if found else client.create_run(experiment, run_name=self._name, tags=tags)
        log_params(client, run.info.run_id, self._params, set(run.data.params))
        self._run_id = run.info.run_id
        self._monitor = _system_metrics(self._run_id, self._store.uri)

    def _send(self, waiting: list[Value]) -> None:
        from mlflow.entities import Metric

        while waiting:
            some: list[Metric] = [Metric(*value) for value in waiting[:_METRICS_A_CALL]]
            assert self._client is not None
            self._client.log_batch(self._run_id, metrics=some)
            del waiting[:_METRICS_A_CALL]

    def _send_tables(self, ending: bool) -> None:
        """Those that wait; a store of files that fails, in whatever way, delays no value and no end."""
        while not self._tables.empty():
            table = self._tables.get_nowait()
            self._unsent[table.path] = table
        if time.monotonic() < self._tables_from and not ending:
            return
        for path, table in list(self._unsent.items()):
            assert self._client is not None
            try:
                table.send(self._client, self._run_id, self._sent)
                del self._unsent[path]
            except ResourceError as error:
                self._trouble = error.one_line()
                self._tables_from = time.monotonic() + _AGAIN_S

    def _end(self) -> None:
        assert self._client is not None
        if self._monitor is not None:
            self._monitor.finish()
        if self._digest is not None:
            self._client.set_tag(self._run_id, LIVE_TAG, "gaps" if self._lost else "whole")
            self._client.set_tag(self._run_id, DIGEST_TAG, self._digest)
        self._client.set_terminated(self._run_id, "FAILED" if self._digest is None else "FINISHED")

    def _tell(self) -> None:
        """Warn once, in the caller's own thread."""
        if self._trouble and not self._warned:
            self._warned = True
            self._warn(
                f"MLflow at {self._store.uri} does not take everything ({self._trouble}); training goes on, "
                "and its history is kept beside the weights"
            )


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0][:200]}"


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, str], known: set[str]) -> None:
    """Log parameters in calls of a size that MLflow takes; those known are left as they are."""
    from mlflow.entities import Param

    entries = [Param(key, str(value)) for key, value in sorted(params.items()) if key not in known]
    for at in range(0, len(entries), _PARAMS_A_CALL):
        client.log_batch(run_id, params=entries[at : at + _PARAMS_A_CALL])


def _system_metrics(run_id: str, uri: str) -> Any:
    """MLflow's monitor of processor, memory and GPU; None without psutil."""
    if importlib.util.find_spec("psutil") is None:
        return None
    import logging

    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    logging.getLogger("mlflow.system_metrics.system_metrics_monitor").setLevel(logging.ERROR)
    monitor = SystemMetricsMonitor(run_id, tracking_uri=uri, resume_logging=True)
    monitor.start()
    return monitor
