"""`finetune` runs again when its base is another one, and only then."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pocket_samples import SMALL
from test_nodes import SCRIPT, environment, workspace

from vantage.models.checkpoint import save_base
from vantage.models.pocket import build
from vantage.pipeline.freshness import pipeline_status
from vantage.pipeline.stages import STAGES
from vantage.pipeline.workspace import Workspace

pytestmark = pytest.mark.slow
TABLE = {name: STAGES[name] for name in ("finetune", "download")}


def run(root: Path) -> int:
    """How many arms were trained."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(root), "finetune"], env=environment(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (found,) = re.findall(r"1 of 1 items done, (\d) of them now", done.stdout)
    return int(found)


def test_another_base_in_the_same_folder_trains_again(
    small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = shutil.copytree(small_base, tmp_path / "base")
    arms: dict[str, Any] = {"projector": {"site": "none"}}
    root = workspace(tmp_path / "ws", base, 1, arms=arms, steps=2)
    monkeypatch.chdir(root)

    def state() -> tuple[str, str]:
        (found,) = [s for s in pipeline_status(Workspace(root), TABLE) if s.stage.name == "finetune"]
        return found.state, found.why

    assert run(root) == 1 and state() == ("fresh", "")
    os.utime(base / "model.safetensors")
    assert state() == ("fresh", "") and run(root) == 0, "touched, not changed"
    save_base(base, build(SMALL, seed=2), SMALL, {"note": "untrained"})
    assert state() == ("stale", "seed or source changed") and run(root) == 1 and state() == ("fresh", "")
    base.rename(tmp_path / "moved")
    (root / "params.yaml").write_text(
        (root / "params.yaml").read_text().replace(str(base), str(tmp_path / "moved"))
    )
    assert run(root) == 0, "the same base elsewhere"
