"""A workspace of the small pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import small_stages
import yaml

from vantage.pipeline.runner import Request, StageReport, run_stage
from vantage.pipeline.watch import PlainWatcher
from vantage.pipeline.workspace import Workspace


@dataclass
class Small:
    """A workspace of the small pipeline."""

    workspace: Workspace
    lines: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.workspace.root

    def params(self, **sections: object) -> None:
        (self.root / "params.yaml").write_text(yaml.safe_dump({"seed": 0, **sections}))

    def run(self, *stages: str, **request: object) -> StageReport:
        """Run stages one after the other; the last one's report."""
        watcher = PlainWatcher(self.lines.append)
        asked = Request(**request)  # type: ignore[arg-type]
        reports = [
            run_stage(self.workspace, stage, asked, watcher=watcher, table=small_stages.TABLE)
            for stage in stages
        ]
        return reports[-1]
