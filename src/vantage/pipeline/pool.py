"""Child processes that work through jobs. A child that dies is named with its item, and replaced."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from vantage.core.errors import ResourceError, VantageError
from vantage.pipeline.worker import Failed, Finished, Job, Message, serve

# Signals that a fault in native code raises; the item's data is the likely cause.
_FAULTS = {signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT}
_JOIN_SECONDS = 5.0


@dataclass(frozen=True)
class Died:
    """The child that worked on an item died of a fault in native code, twice."""

    reason: str


Event = tuple[Job, Message | Died]


@dataclass
class _Child:
    process: BaseProcess
    connection: Connection
    job: Job | None = None


class Pool:
    """Up to `workers` spawned children that live until the pool is left.

    Args:
        workers: children at a time.
        environment: variables set for the children.
    """

    def __init__(self, workers: int, environment: Mapping[str, str] | None = None) -> None:
        self.workers = workers
        self._environment = dict(environment or {})
        self._children: list[_Child] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._children)
        self._children.clear()

    def run(self, jobs: Sequence[Job]) -> Iterator[Event]:
        """Process all jobs and yield what happens, as it happens.

        After a `Failed` no new job is begun; those under way still finish. A child that dies of a fault is
        replaced and its job tried once more, then reported as `Died`; one that is killed is a `Failed`.
        """
        waiting, again = deque(jobs), set[str]()
        while len(self._children) < min(self.workers, len(jobs)):
            self._children.append(self._spawn())
        while True:
            for child in self._children:
                if child.job is None and waiting:
                    _give(child, waiting.popleft())
            busy = [child for child in self._children if child.job is not None]
            if not busy:
                return
            ready = wait([child.connection for child in busy])
            for child in [c for c in busy if c.connection in ready]:
                for job, message in self._hear(child, again, waiting):
                    if isinstance(message, Failed):
                        waiting.clear()
                    yield job, message

    def _hear(self, child: _Child, again: set[str], waiting: deque[Job]) -> Iterator[Event]:
        job, message = child.job, _receive(child)
        assert job is not None
        if message is not None:
            if isinstance(message, Finished | Failed):
                child.job = None
            yield job, message
            return
        self._children[self._children.index(child)] = self._spawn()
        child.connection.close()
        if _fault(child) and job.key not in again:
            again.add(job.key)
            waiting.appendleft(job)
        else:
            yield job, _death(child, job)

    def _spawn(self) -> _Child:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        with _environment(self._environment):
            process: Any = context.Process(target=serve, args=(theirs,), daemon=True)
            process.start()
        theirs.close()
        return _Child(process, ours)


def _give(child: _Child, job: Job) -> None:
    child.job = job
    with suppress(BrokenPipeError):  # It died idle: reading from it will tell.
        child.connection.send(job)


def _receive(child: _Child) -> Message | None:
    try:
        message: Message = child.connection.recv()
        return message
    except (EOFError, ConnectionResetError):
        child.process.join()
        return None


def _fault(child: _Child) -> bool:
    code = child.process.exitcode or 0
    return -code in _FAULTS


def _death(child: _Child, job: Job) -> Failed | Died:
    code = child.process.exitcode or 0
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    if _fault(child):
        return Died(f"its process died with {name}, twice")
    if code == -signal.SIGKILL:
        error: VantageError = ResourceError(
            f"the process that worked on {job.task.item} was killed",
            where=f"stage {job.stage}",
            found=name,
            hint="if memory ran out, use fewer workers (VANTAGE_WORKERS=1); finished items are kept",
        )
    else:
        error = VantageError(
            f"the process that worked on {job.task.item} ended", where=f"stage {job.stage}", found=name
        )
    return Failed(error, "")


def _end(children: Sequence[_Child]) -> None:
    for child in children:
        if child.job is None:
            with suppress(OSError):
                child.connection.send(None)
        else:
            child.process.terminate()
    for child in children:
        child.process.join(_JOIN_SECONDS)
        if child.process.is_alive():
            child.process.kill()
            child.process.join()
        child.connection.close()


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
