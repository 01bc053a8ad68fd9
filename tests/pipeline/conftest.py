"""Workspaces for tests: a small one with bodies of its own, and (slow) the real pipeline at tiny size."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import small_stages
import tiny
from filelock import FileLock
from small_workspace import Small

from vantage.pipeline.workspace import Workspace


@pytest.fixture
def small(tmp_path: Path) -> Small:
    made = Small(Workspace(tmp_path / "small"))
    made.root.mkdir()
    (made.root / "dvc.yaml").write_text(small_stages.PIPELINE)
    made.params()
    return made


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file below a folder by its path: what `same bytes` means."""

    def read(folder: Path) -> dict[str, bytes]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}

    return read


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    """The tiny workspace after `dvc repro` from scans to registry; to be looked at and copied only.

    It is made once, whichever worker comes first; then no command runs in it, and each worker has a copy.
    """
    own = tmp_path_factory.mktemp("tiny")
    common = own.parents[1] if "PYTEST_XDIST_WORKER" in os.environ else own
    where = common / "tiny_workspace.txt"
    with FileLock(common / "tiny_workspace.lock"):
        if not where.is_file():
            made = tiny.make(own / "made")
            made.dvc("repro")
            where.write_text(str(made.root))
    return tiny.Tiny(Path(where.read_text())).copy(own / "workspace")


@pytest.fixture
def copied(finished: tiny.Tiny, tmp_path: Path) -> tiny.Tiny:
    """A copy of the finished workspace."""
    return finished.copy(tmp_path / "workspace")
