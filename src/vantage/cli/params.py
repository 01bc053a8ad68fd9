"""`vantage params`."""

from __future__ import annotations

import sys
from pathlib import Path

from vantage.pipeline import yaml12
from vantage.pipeline.params import merge, validate
from vantage.pipeline.params_text import overlay_text, render_defaults
from vantage.pipeline.workspace import PARAMS_FILE, find_workspace


def show(profile: str | None, defaults: bool, workspace: Path | None) -> None:
    """Print parameters to standard output, after checking them."""
    if defaults:
        sys.stdout.write(render_defaults())
        return
    root = find_workspace(workspace).root
    base = yaml12.parse(root / PARAMS_FILE)
    if profile is None:
        validate(base.value, base.where)
        sys.stdout.write(base.path.read_text(encoding="utf-8"))
        return
    overlay = yaml12.parse(root / "profiles" / f"{profile}.yaml")
    validate(merge(base.value, overlay.value), overlay.where)
    sys.stdout.write(overlay_text(base.value, overlay.value))
