"""Where an output comes from, kept beside the data and never in it: `.vantage/provenance/<digest>.json`."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vantage.core import atomic
from vantage.pipeline.workspace import Workspace

_LIBRARIES = (
    "vantage", "numpy", "scipy", "numba", "pillow", "pyarrow", "open3d-cpu", "open3d",
    "torch", "transformers", "accelerate", "safetensors", "mlflow", "dvc", "dagster",
)  # fmt: skip
_KEPT = 20


def record(workspace: Workspace, digest: str, value: Mapping[str, Any]) -> Path:
    """Write the provenance of the output with `digest`; returns the file.

    The same bytes can come from several plans (a parameter that changed nothing): under `earlier` are the
    records of other plans, the latest of each.
    """
    path = workspace.provenance / f"{digest}.json"
    others = [one for one in records(workspace, digest) if one.get("plan") != value.get("plan")]
    atomic.write_json(path, {"digest": digest, **value, "earlier": others[-_KEPT:]})
    return path


def records(workspace: Workspace, digest: str) -> list[dict[str, Any]]:
    """All records of the output with `digest`, the latest last; empty if there are none here."""
    try:
        value = json.loads((workspace.provenance / f"{digest}.json").read_text(encoding="utf-8"))
        return [*value.pop("earlier", []), value]
    except (OSError, json.JSONDecodeError, AttributeError):
        return []


def recorded(workspace: Workspace, digest: str) -> dict[str, Any] | None:
    """The latest record of the output with `digest`; None if there is none here."""
    found = records(workspace, digest)
    return found[-1] if found else None


def environment(root: Path) -> dict[str, Any]:
    """Git revision, library versions and machine, for a record."""
    return {
        "git": git_revision(root),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {name: found for name in _LIBRARIES if (found := _version(name)) is not None},
    }


def git_revision(root: Path) -> str | None:
    """Commit of the workspace, with `-dirty` when tracked files differ; None outside a repository."""
    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
