"""A workspace's store over a copy of a migrated database: migrations cost seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from vantage.registry.store import Store, find_store


def prepared(root: Path, ready: Path) -> Store:
    """The store of the workspace at `root`, its database copied from a ready one."""
    made = find_store(root)
    made.folder.mkdir()
    assert made.database is not None
    shutil.copy(ready, made.database)
    return made
