"""A workspace: the folder of `dvc.yaml` and `params.yaml`, and where the runner keeps its things."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from vantage.core.errors import ParameterError

PIPELINE_FILE = "dvc.yaml"
PARAMS_FILE = "params.yaml"


@dataclass(frozen=True)
class Workspace:
    """Paths of one workspace; `root` is absolute."""

    root: Path

    @property
    def private(self) -> Path:
        """Everything that is neither input nor output; ignored by git and DVC."""
        return self.root / ".vantage"

    @property
    def store(self) -> Path:
        """Finished items of every stage, by content."""
        return self.private / "store"

    @property
    def provenance(self) -> Path:
        """Who made which output, by the output's digest."""
        return self.private / "provenance"

    def work(self, stage: str, key: str) -> Path:
        """Where an item keeps checkpoints until it is finished."""
        return self.private / "work" / stage / key

    def cache(self, stage: str) -> Path:
        """What a stage got from outside at some cost; outlives items, parameters and code."""
        return self.private / "cache" / stage

    def lock(self, stage: str) -> Path:
        """The file locked while a stage runs."""
        return self.private / "locks" / f"{stage}.lock"


def find_workspace(start: Path | None = None) -> Workspace:
    """The workspace at `start` or above it.

    `start` defaults to the variable VANTAGE_WORKSPACE, then to the current folder.

    Raises:
        ParameterError: no folder from there up holds a `dvc.yaml`.
    """
    origin = (start or Path(os.environ.get("VANTAGE_WORKSPACE") or Path.cwd())).resolve()
    for folder in (origin, *origin.parents):
        if (folder / PIPELINE_FILE).is_file():
            return Workspace(folder)
    raise ParameterError(
        "not in a workspace",
        where=origin,
        expected=f"a {PIPELINE_FILE} here or in a folder above",
        hint="change to the folder of the pipeline, or name it with --workspace",
    )
