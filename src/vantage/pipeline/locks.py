"""One run of a stage at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from vantage.core.errors import ResourceError
from vantage.pipeline.watch import Watcher
from vantage.pipeline.workspace import Workspace

_WAIT_SECONDS = 600.0


@contextmanager
def stage_lock(workspace: Workspace, stage: str, watcher: Watcher) -> Iterator[None]:
    """Hold a stage's lock; a second run says that it waits.

    The system frees the lock of a killed run. The variable VANTAGE_LOCK_SECONDS sets how long to wait.

    Raises:
        ResourceError: the other run is still at it after that time.
    """
    path = workspace.lock(stage)
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = float(os.environ.get("VANTAGE_LOCK_SECONDS", _WAIT_SECONDS))
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        watcher.say(f"{stage}: another run of this stage is under way; waiting for it, up to {seconds:.0f} s")
        try:
            lock.acquire(timeout=seconds)
        except Timeout as error:
            raise ResourceError(
                f"another run of stage {stage} is still under way",
                where=path,
                hint="wait for it to end, or stop it",
            ) from error
    try:
        yield
    finally:
        lock.release()
