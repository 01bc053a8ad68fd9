"""What commands share: the workspace's option, and bodies that are imported when they are called."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer

WorkspaceOption = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", help="Folder of dvc.yaml; default: here or above.", show_default=False),
]


def called(name: str) -> Any:
    """The module of a command's body, with all that it imports: `vantage --help` does without."""
    return importlib.import_module(f"vantage.cli.{name}")
