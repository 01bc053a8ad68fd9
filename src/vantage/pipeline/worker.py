"""What a child process does with one item: body, contract, store. A crash in it costs that item only."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
import traceback
from dataclasses import dataclass, field, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from vantage.core.errors import ContractError, ResourceError, ScanError, ScanUnavailableError, VantageError
from vantage.core.names import load
from vantage.core.tasks import Facts, Task
from vantage.pipeline.store import OUT, Manifest, Store


@dataclass(frozen=True)
class Job:
    """One item to process, in a form that crosses process borders.

    Attributes:
        stage: the stage's name.
        key: the item's key in the store.
        body: `"module:function"`, called with the task and the configuration.
        contract: `"module:function"` that checks the finished folder, if there is one.
        config: the stage's configuration.
        task: the task; `out` is filled in by the worker.
        store: the stage's folder in the store.
        may_set_aside: whether a `ScanError` sets the item aside; otherwise it stops the stage.
        tracker: `"module:function"`, `(workspace, warn) -> Tracker or None`; None for no tracker.
        rows: for the finishing step, the index; its task's `out` is the assembled folder.
    """

    stage: str
    key: str
    body: str
    contract: str | None
    config: Any
    task: Task
    store: Path
    may_set_aside: bool
    rows: tuple[Any, ...] | None = None
    tracker: str | None = None


@dataclass(frozen=True)
class Step:
    """The item's own progress."""

    done: int
    total: int
    note: str


@dataclass(frozen=True)
class Remark:
    """A line that the body wants to be read."""

    text: str


@dataclass(frozen=True)
class Finished:
    """The item is in the store, or set aside there; the finishing step has facts and no manifest."""

    manifest: Manifest | None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The item failed with an error that stops the stage."""

    error: VantageError
    trace: str


Message = Step | Remark | Finished | Failed


class _Reporter:
    """A progress that sends to the parent, at most some times a second."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0.0

    def step(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if now - self._last > 0.2 or done >= total:
            self._last = now
            self._connection.send(Step(done, total, note))

    def say(self, text: str) -> None:
        self._connection.send(Remark(text))


def serve(connection: Connection) -> None:
    """Process jobs from `connection` until it sends None; the main function of a child process."""
    _die_with_parent()
    while (job := connection.recv()) is not None:
        connection.send(_process(job, _Reporter(connection)))


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()


def _process(job: Job, reporter: _Reporter) -> Message:
    try:
        if job.rows is not None:
            return Finished(None, _finish(job, reporter))
        return Finished(_run(job, reporter))
    except VantageError as error:
        return Failed(error, "")
    except OSError as error:
        known = resource_error(error, job.task.item)
        return Failed(known, "") if known is not None else _unexpected(job, error)
    except Exception as error:  # The border of the process: whatever it is travels to the parent.
        return _unexpected(job, error)


def _unexpected(job: Job, error: Exception) -> Failed:
    if is_disk_full(error):
        return Failed(disk_full(job.task.item, error), "")
    wrapped = VantageError(
        f"stage {job.stage} failed on {job.task.item}: {type(error).__name__}: {error}",
        where=_last_line(error),
        hint="this is an error in the code, not in the data; finished items are kept",
    )
    return Failed(wrapped, "".join(traceback.format_exception(error)))


def _last_line(error: Exception) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else None


def _run(job: Job, reporter: _Reporter) -> Manifest:
    store = Store(job.store)
    temporary = store.begin()
    try:
        manifest = _call(job, reporter, temporary / OUT)
        if manifest.status == "done":
            _check(job, temporary / OUT)
        stored = store.commit(temporary, job.key, manifest)
    except ScanUnavailableError as error:
        store.abandon(temporary)
        if not job.may_set_aside:
            raise
        return _set_aside(job, error)  # not stored, and `work` is kept: the next run goes on from there
    except BaseException:
        store.abandon(temporary)
        raise
    shutil.rmtree(job.task.work, ignore_errors=True)
    return stored


def _call(job: Job, reporter: _Reporter, out: Path) -> Manifest:
    job.task.work.mkdir(parents=True, exist_ok=True)
    tracker = None if job.tracker is None else load(job.tracker)(job.store.parents[2], reporter.say)
    task = replace(job.task, out=out, progress=reporter, tracker=tracker)
    started = time.monotonic()
    try:
        facts = load(job.body)(task, job.config)
    except ScanError as error:
        if not job.may_set_aside or isinstance(error, ScanUnavailableError):
            raise
        return _set_aside(job, error)
    if not any(path.is_file() for path in out.rglob("*")):
        raise ContractError(
            f"stage {job.stage} wrote nothing", where=task.item, hint="its body must write a file"
        )
    return Manifest(
        job.stage, task.item, "done", facts=dict(facts), seconds=round(time.monotonic() - started, 3)
    )


def _set_aside(job: Job, error: ScanError) -> Manifest:
    return Manifest(job.stage, job.task.item, "set_aside", reason=_relative(error.one_line(), job))


def _relative(reason: str, job: Job) -> str:
    """A reason is hashed with the index: paths in it are written from the workspace, as on any machine."""
    return reason.replace(f"{job.store.parents[2]}{os.sep}", "")


def _check(job: Job, out: Path) -> None:
    if job.contract is None:
        return
    try:
        load(job.contract)(out)
    except ContractError as error:
        error.where = f"{job.stage} of {job.task.item}" + (f", {error.where}" if error.where else "")
        raise


def _finish(job: Job, reporter: _Reporter) -> Facts:
    facts: Facts | None = load(job.body)(
        replace(job.task, progress=reporter), job.config, list(job.rows or ())
    )
    return dict(facts or {})


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, says that the disk (or the quota) is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if "No space left on device" in str(error):
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and is_disk_full(cause)


def disk_full(where: str, error: BaseException) -> ResourceError:
    """The error to show for a full disk."""
    return ResourceError(
        "the disk is full",
        where=where,
        found=error,
        hint="free space and run the same command again: finished items are kept, and no output was touched",
    )


def resource_error(error: OSError, where: str) -> ResourceError | None:
    """A readable error for what the machine refuses; None for other errors of the operating system."""
    if is_disk_full(error):
        return disk_full(where, error)
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EIO):
        return ResourceError("the machine refused a file", where=where, found=error)
    return None


def thread_environment(threads: int) -> dict[str, str]:
    """Variables that give the numeric libraries of a child a fixed number of threads.

    Fixed by the stage and not by the machine, since sums in another order are other bytes.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return dict.fromkeys(names, str(threads)) | {"PYTHONHASHSEED": "0", "TOKENIZERS_PARALLELISM": "false"}
