"""`vantage run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vantage.cli.show import watcher
from vantage.pipeline.runner import Request, run_stage
from vantage.pipeline.workspace import find_workspace


def run(
    stage: str,
    items: Sequence[str],
    strict: bool,
    overrides: Sequence[str],
    out: Path | None,
    workers: int | None,
    dry: bool,
    workspace: Path | None,
) -> None:
    """Run one stage and show how it goes on standard error."""
    request = Request(items=items, strict=strict, overrides=overrides, out=out, workers=workers, dry=dry)
    run_stage(find_workspace(workspace), stage, request, watcher=watcher())
