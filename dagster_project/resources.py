"""The workspace as a resource: its DVC commands, with their output in the run's log, and its lock file."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

RUN_ID = "VANTAGE_DAGSTER_RUN_ID"
"""The variable that tells a stage which Dagster run it belongs to; MLflow runs are tagged with it."""

MLFLOW_UI = "VANTAGE_MLFLOW_UI"
"""The variable with the address of MLflow's pages, for links."""

_GRACE_S = 15.0


class DvcWorkspace(dg.ConfigurableResource):  # type: ignore[type-arg]
    """A folder with `dvc.yaml`.

    Attributes:
        root: its absolute path.
    """

    root: str

    @property
    def path(self) -> Path:
        """The workspace's folder."""
        return Path(self.root)

    def lock_entry(self, stage: str) -> Mapping[str, Any]:
        """A stage's entry in `dvc.lock`; empty when it has none."""
        path = self.path / "dvc.lock"
        if not path.is_file():
            return {}
        entry: Mapping[str, Any] = (yaml.safe_load(path.read_text("utf-8")) or {}).get("stages", {}).get(stage, {})
        return entry

    def repro(self, stage: str, context: dg.OpExecutionContext | dg.AssetExecutionContext) -> None:
        """`dvc repro` of one stage: skipped when nothing changed, restored when DVC knows the result."""
        self.call([sys.executable, "-m", "dvc", "repro", "--single-item", stage], context)

    def run_scans(
        self, cmd: str, scans: Sequence[str], context: dg.OpExecutionContext | dg.AssetExecutionContext
    ) -> None:
        """A stage's own command for some scans only; DVC is not told."""
        chosen = [part for scan in scans for part in ("--scan", scan)]
        self.call([*shlex.split(cmd), *chosen], context)

    def call(
        self, command: Sequence[str], context: dg.OpExecutionContext | dg.AssetExecutionContext
    ) -> None:
        """Run a command in the workspace; each line it prints goes to the run's log.

        Raises:
            dagster.Failure: it ended with another code than 0; the message is the end of its output.
        """
        shown = shlex.join(["dvc" if part == "-m" else part for part in command if part != sys.executable])
        shown = shown.replace("dvc dvc", "dvc")
        context.log.info(f"$ {shown}")
        tail: deque[str] = deque(maxlen=12)
        with _process_group(command, self.path, context.run_id) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if text := line.rstrip():
                    tail.append(text)
                    context.log.info(text)
            code = process.wait()
        if code != 0:
            raise dg.Failure(
                description="\n".join([f"`{shown}` ended with exit code {code}:", *tail]),
                metadata={"command": shown, "exit_code": code},
                allow_retries=False,
            )


@contextmanager
def _process_group(command: Sequence[str], folder: Path, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own; the group is ended when the block is left early."""
    # The interpreter's folder comes first, so that `vantage` in a stage's command is the one of this environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, RUN_ID: run_id, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(_GRACE_S)
            return
        except subprocess.TimeoutExpired:
            continue
