"""Writing that a kill or a full disk cannot leave half done: write beside, flush to disk, rename."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; in its place, flushed, once the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds either the old content or all of the new."""
    with writing(path) as beside:
        beside.write_bytes(data)


def remove_unfinished(path: Path) -> None:
    """Remove what killed processes left beside `path`; nobody may be writing it now."""
    for beside in path.parent.glob(f".{path.name}.*.tmp"):
        beside.unlink(missing_ok=True)


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
