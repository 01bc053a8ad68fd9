"""The folder of an export: whose it is, files that appear whole, and what a killed export left behind."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.core.errors import ParameterError, ResourceError, ScanError

MARK = "export.json"
_PART = ".part"


def claim(out: Path, mine: dict[str, Any]) -> None:
    """Note what the folder holds; ParameterError when it holds another export, or something else."""
    mark = out / MARK
    # Looked at before the mark: another export into the folder writes its mark first of all.
    strangers = out.is_dir() and any(path.name[0] != "." for path in out.iterdir())
    if mark.is_file():
        found = json.loads(mark.read_text(encoding="utf-8"))
        if found != mine:
            hint = "Export into another folder, or remove this one."
            raise ParameterError(
                "the folder holds another export", where=mark, expected=mine, found=found, hint=hint
            )
        return
    if strangers:
        raise ParameterError("the folder is not empty", where=out, hint="Export into a folder of its own.")
    atomic.write_json(mark, mine)


@contextmanager
def at_work(out: Path) -> Iterator[None]:
    """Holds a claimed folder; the first to come alone sweeps what a killed export left half written.

    The folder itself is locked: two that come at once may each put a mark of their own in place.
    """
    handle = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _locked(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for left in out.glob(f"*/.*{_PART}"):
                left.unlink(missing_ok=True)
        _locked(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _locked(folder: int, how: int) -> bool:
    """Whether the folder could be locked: no where another export is at work, or no file system's locks tell.

    Without a lock nothing is swept, for it may be another's; files appear whole all the same.
    """
    try:
        fcntl.flock(folder, how)
    except OSError:
        return False
    return True


def write_whole(path: Path, data: bytes) -> None:
    """A file that appears whole; not flushed to disk one by one, which would cost more than all else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_PART}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Turns what the file system refuses into an error that says what to do."""
    try:
        yield
    except ScanError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ResourceError(
            "the disk is full" if full else f"cannot write the export: {error.strerror}",
            where=error.filename or out,
            hint="Free space; the same command goes on from here."
            if full
            else "Choose a folder that may be written.",
        ) from error
