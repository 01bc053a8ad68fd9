"""An arm trained by several processes of this machine, started by torch.distributed.run as a person would.

The first process tells this one, a line at a time on its standard output, how far it is and what a watched
run is to show. A process whose listener is gone ends at its next line, and takes the others with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.errors import ParameterError, VantageError
from vantage.core.tasks import Facts, Task
from vantage.core.tracking import NoRun, OpenRun
from vantage.training.config import FinetuneConfig
from vantage.training.nodes import Nodes
from vantage.training.place import launched, require_known_launch
from vantage.training.told import error_of, heard, tail, tell

PROGRAM: tuple[str, ...] = ("-m", "vantage.training")


def join() -> Nodes:
    """The line to the other processes that a launcher started."""
    return Nodes.join(PROGRAM)


def in_processes(task: Task, config: FinetuneConfig) -> Facts:
    """Train the arm `task.item` in `config.processes` processes; its files are those of one process.

    They are started here, unless a launcher started as many: then each has its own beside it.

    Raises:
        ParameterError: a launcher started another number of processes, or asks for what is not supported.
        VantageError: what a process raised, or that one of them ended without a word, with the end of what
            they wrote (all of it is in `processes.log` of the task's work).
    """
    require_known_launch()
    job, log = task.work / "processes.json", task.work / "processes.log"
    atomic.write_text(job, json.dumps(_described(task, config)))
    nodes = join() if launched() else None
    command, variables = _launch(config.processes, job, nodes)
    relay = _Relay(task)
    with (
        log.open("w") as written,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=written, text=True, env={**os.environ, **variables}
        ) as process,
    ):
        try:
            assert process.stdout is not None
            for line in process.stdout:
                relay.hear(line)
        except BaseException:
            process.terminate()  # the launcher ends its own
            raise
    if relay.failure is not None:
        raise relay.failure
    if relay.facts is None or process.returncode:
        raise VantageError(
            "a training process ended without a word", where=f"arm {task.item}",
            expected=f"{config.processes} processes that end with 0",
            found=(nodes.blamed() if nodes else "") or tail(log),
            hint=f"the whole of what they wrote is in {log}",
        )  # fmt: skip
    return relay.facts


def task_of(job: Mapping[str, Any]) -> Task:
    """The task of a job file, in one of the processes: its first one tells how far it is."""
    first = os.environ.get("RANK", "0") == "0"
    return Task(
        job["item"],
        {stage: Path(folder) for stage, folder in job["inputs"].items()},
        Path(job["out"]),
        Path(job["work"]),
        job["seed"],
        progress=_Told(first),
        cache=None if job["cache"] is None else Path(job["cache"]),
        tracker=_ToldTracker() if job["watched"] else None,
    )


def _launch(processes: int, job: Path, nodes: Nodes | None) -> tuple[list[str], dict[str, str]]:
    """The command that trains an arm, and variables for it."""
    if nodes is None:
        many = ["-m", "torch.distributed.run", "--standalone", "--max_restarts", "0"]
        return [sys.executable, *many, "--nproc_per_node", str(processes), *PROGRAM, str(job)], {}
    if nodes.world != processes:
        raise ParameterError(
            "a launcher started another number of processes", where="finetune.processes",
            expected=processes, found=nodes.world,
            hint="results depend on the number by rounding: set finetune.processes to that of all machines",
        )  # fmt: skip
    return [sys.executable, *PROGRAM, str(job)], nodes.call(job)


def _described(task: Task, config: FinetuneConfig) -> dict[str, Any]:
    return {
        "item": task.item,
        "inputs": {stage: str(folder) for stage, folder in task.inputs.items()},
        "out": str(task.out),
        "work": str(task.work),
        "seed": task.seed,
        "cache": None if task.cache is None else str(task.cache),
        "watched": task.tracker is not None,
        "config": asdict(config),
    }


class _Relay:
    """Hears the first process, and does what it says."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._run: OpenRun = NoRun()
        self.facts: Facts | None = None
        self.failure: VantageError | None = None

    def hear(self, line: str) -> None:
        said = heard(line)
        if said is None:
            self._task.progress.say(line.rstrip())
            return
        doing: dict[str, Callable[..., None]] = {
            "step": self._task.progress.step, "say": self._task.progress.say, "open": self._open,
            "log": lambda step, metrics: self._run.log(step, metrics), "close": self._close,
            "table": self._table, "facts": self._end, "error": self._fail,
        }  # fmt: skip
        doing[said.pop("kind")](**said)

    def _open(self, item: str, key: str, params: dict[str, str], tags: dict[str, str]) -> None:
        assert self._task.tracker is not None
        self._run = self._task.tracker.open(item, key, params=params, tags=tags)

    def _table(self, path: str, columns: list[str], rows: list[Any], pictures: dict[str, str]) -> None:
        self._run.table(path, columns, rows, {name: Path(file) for name, file in pictures.items()})

    def _close(self, digest: str | None) -> None:
        self._run.close(digest)

    def _end(self, facts: Facts) -> None:
        self.facts = facts

    def _fail(self, **said: str | None) -> None:
        if self.failure is None:  # that of others follows from the first
            self.failure = error_of(said)


class _Told:
    """Progress that is told to the process that started this one."""

    def __init__(self, heard: bool) -> None:
        self._heard = heard

    def step(self, done: int, total: int, note: str = "") -> None:
        if self._heard:
            tell("step", done=done, total=total, note=note)

    def say(self, text: str) -> None:
        if self._heard:
            tell("say", text=text)


class _ToldTracker:
    """A tracker whose runs are those of the process that started this one."""

    def open(self, name: str, key: str, *, params: Mapping[str, str], tags: Mapping[str, str]) -> OpenRun:
        tell("open", item=name, key=key, params=dict(params), tags=dict(tags))
        return _ToldRun()

    def record(self, name: str, digest: str, **_: object) -> str:
        raise VantageError("a training process records no run", where=name, hint="`vantage promote` does")


class _ToldRun:
    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        tell("log", step=step, metrics=dict(metrics))

    def table(
        self,
        path: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str | int | float]],
        pictures: Mapping[str, Path],
    ) -> None:
        files = {name: str(file) for name, file in pictures.items()}
        tell("table", path=path, columns=list(columns), rows=[list(row) for row in rows], pictures=files)

    def close(self, digest: str | None) -> None:
        tell("close", digest=digest)
