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

Context = dg.OpExecutionContext | dg.AssetExecutionContext

RUN_ID = "VANTAGE_DAGSTER_RUN_ID"
"""The variable that tells a stage which Dagster run it belongs to; MLflow runs are tagged with it."""

_GRACE_S = 10.0
_TAIL = 15
# DVC's advice about git, the same after every stage.
_ADVICE = (
    "To track the changes with git, run:",
    "git add ",
    "To enable auto staging, run:",
    "dvc config core.autostage true",
    "Use `dvc push` to send your updates to remote storage.",
)


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
        stages: Mapping[str, Any] = (yaml.safe_load(path.read_text("utf-8")) or {}).get("stages", {})
        entry: Mapping[str, Any] = stages.get(stage, {})
        return entry

    def repro(self, stage: str, context: Context) -> None:
        """`dvc repro` of one stage: skipped when nothing changed, restored when DVC knows the result."""
        shown = f"dvc repro --single-item {stage}"
        self._call([sys.executable, "-m", *shlex.split(shown)], shown, context)

    def run_scans(self, cmd: str, scans: Sequence[str], context: Context) -> None:
        """A stage's own command for some scans only; `dvc.lock` stays as it is."""
        shown = " ".join([cmd, *(f"--scan {shlex.quote(scan)}" for scan in scans)])
        self._call(shlex.split(shown), shown, context)

    def _call(self, command: Sequence[str], shown: str, context: Context) -> None:
        context.log.info(f"$ {shown}")
        tail: deque[str] = deque(maxlen=_TAIL)
        with _process_group(command, self.path, context.run.run_id) as process:
            for line in process.stdout or ():
                text = line.rstrip()
                if text and not text.strip().startswith(_ADVICE):
                    tail.append(text)
                    context.log.info(text)
            code = process.wait()
        if code != 0:
            raise dg.Failure(
                description="\n".join([f"`{shown}` ended with exit code {code}:", *tail]),
                metadata={"command": shown, "exit_code": code},
                allow_retries=False,  # the same data would fail again
            )


@contextmanager
def _process_group(command: Sequence[str], folder: Path, run_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own; the group is ended when the block is left early."""
    # This environment's programs come first: `vantage` in a stage's command is the one beside Dagster.
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
            process.wait(_GRACE_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
