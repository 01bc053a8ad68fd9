"""Assembling an output folder from the store, afresh and by link."""

from __future__ import annotations

import errno
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

_BUILD = "build"


def begin(final: Path) -> Path:
    """A new empty folder beside `final`, on the same file system, to be put in its place."""
    folder = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.{_BUILD}")
    folder.mkdir(parents=True)
    return folder


def clean(final: Path) -> None:
    """Remove folders that killed runs left beside `final`; bring back `final` if it was just moved away."""
    former = sorted(final.parent.glob(f".{final.name}.*.old"))
    if former and not final.exists():
        former.pop(0).rename(final)
    for left in (*former, *final.parent.glob(f".{final.name}.*.{_BUILD}")):
        shutil.rmtree(left)


def link_items(items: Mapping[str, Path], folder: Path) -> None:
    """Make `folder/<item>` for each item, its files linked to those of the item's stored folder."""
    for item, source in items.items():
        link_tree(source, folder / item)


def link_tree(source: Path, target: Path) -> None:
    """Make `target` with hard links to the files below `source`; copies where links are not possible."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(path, place)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        # Another device, a file system without links, or too many of them.
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copy2(source, target)
