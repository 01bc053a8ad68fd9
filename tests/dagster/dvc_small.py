"""The small pipeline of tests/pipeline in a folder with DVC, and how Dagster runs it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import small_stages
import yaml
from dagster_project.definitions import build

from vantage.pipeline.workspace import Workspace

HERE = Path(__file__).resolve().parent


@dataclass
class DvcSmall:
    """The small pipeline in a folder with DVC, and how Dagster runs it."""

    root: Path
    instance: dg.DagsterInstance

    def params(self, **sections: object) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump({"seed": 0, **SECTIONS, **sections}))

    def dvc(self, *arguments: str) -> str:
        """Output of a DVC command."""
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=True).stdout

    def lock(self) -> dict[str, object]:
        value: dict[str, object] = yaml.safe_load((self.root / "dvc.lock").read_text())
        return value

    def definitions(self) -> dg.Definitions:
        return build(Workspace(self.root), small_stages.TABLE)

    def job(self, name: str = "pipeline") -> dg.JobDefinition:
        return self.definitions().resolve_job_def(name)

    def run(self) -> dg.ExecuteInProcessResult:
        """The job `pipeline`, with Dagster's events in the workspace's own instance."""
        return self.job().execute_in_process(instance=self.instance, raise_on_error=False)


SECTIONS: dict[str, object] = {"contracts": {}, "make": {}, "double": {}, "total": {}}


def prepared(root: Path) -> Path:
    """A new workspace of the small pipeline at `root`."""
    root.mkdir()
    pipeline = yaml.safe_load(small_stages.PIPELINE)
    for name, stage in pipeline["stages"].items():
        stage["cmd"] = f"{sys.executable} {HERE / 'small_run.py'} {name}"
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    (root / "params.yaml").write_text(yaml.safe_dump({"seed": 0, **SECTIONS}))
    (root / ".gitignore").write_text("/data\n/reports\n/.vantage\n/.dagster\n/mlruns\n")
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=root, check=True)
    return root
