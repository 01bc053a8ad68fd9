"""Writing that a kill or a full disk cannot leave half done: write beside, flush to disk, rename."""

from __future__ import annotations

import errno
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from vantage.core.errors import ResourceError


def write_bytes(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write `data` so that `path` holds either the old content or all of the new.

    Without `sync` a power cut may leave an empty file: for thousands of files that can be made again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def beside(path: Path) -> Path:
    """A fresh hidden name in the folder of `path`, to write to before renaming."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that `beside` gives: what a killed writer leaves."""
    return name.startswith(".") and name.endswith(".tmp")


def refused(error: OSError, path: Path) -> ResourceError:
    """A readable error for a file that the machine does not let us write."""
    hints = {
        errno.ENOSPC: "free space, or choose another folder",
        errno.EDQUOT: "free space of your quota, or choose another folder",
        errno.EROFS: "choose a folder that can be written",
        errno.EACCES: "choose a folder that can be written, or correct its permissions",
    }
    hint = hints.get(error.errno or 0)
    return ResourceError(f"cannot write: {error.strerror or error}", where=path, hint=hint)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON with sorted keys atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to disk, so that a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_folder(ready: Path, final: Path) -> None:
    """Put the folder `ready` in the place of `final`; both lie on one file system.

    The former folder is moved away first and removed last: a kill in between leaves whole folders only.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    former = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.old")
    if final.exists():
        final.rename(former)
    ready.rename(final)
    sync_folder(final.parent)
    if former.exists():
        shutil.rmtree(former)
