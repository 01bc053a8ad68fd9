"""A workspace of the small pipeline that DVC and Dagster can run."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path[:0] = [str(REPOSITORY), str(HERE.parent / "pipeline")]

from dvc_small import DvcSmall, prepared  # noqa: E402


@pytest.fixture
def dvc_small(tmp_path: Path) -> Iterator[DvcSmall]:
    """The small pipeline, with an instance of Dagster under the project's own settings."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(REPOSITORY / "infra" / "dagster" / "dagster.yaml", home)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield DvcSmall(prepared(tmp_path / "small"), instance)
