"""`vantage run lift` with a depth estimator: the model is part of the key, the workers are not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny

import tiny_estimators
from vantage.records.depth_fits import read_depth_fits
from vantage.records.index import read_index

Contents = Callable[[Path], dict[str, bytes]]
pytestmark = pytest.mark.slow


def test_a_model_in_a_folder_through_the_runner(tmp_path: Path, contents: Contents) -> None:
    workspace = tiny.make(tmp_path / "workspace")
    workspace.set("download.generated.rooms", 2)
    for stage in ("download", "extract"):
        workspace.vantage("run", stage)
    tiny_estimators.depth_anything(workspace.root / "model")

    def lifted(model: str, out: str, workers: int) -> str:
        options = [f"lift.depth.{text}" for text in ("source=estimator", "align=sensor", f"model={model}")]
        words = [word for option in options for word in ("-S", option)]
        return workspace.vantage("run", "lift", *words, "--out", out, workers=workers).stderr

    told = lifted("model", "runs/two", 2)
    assert "2 of 2 items done, 2 of them now" in told
    assert "frames by model on cpu" in told
    rows = read_index(workspace.root / "runs/two")
    for row in rows:
        assert row.status == "done"
        assert read_depth_fits(workspace.root / "runs/two" / row.item).align == "sensor"

    (workspace.root / "model").rename(workspace.root / "moved")
    assert "2 of 2 items done, 0 of them now" in lifted("moved", "runs/moved", 2)
    workspace.forget("lift")
    assert "2 of 2 items done, 2 of them now" in lifted("moved", "runs/one", 1)
    assert contents(workspace.root / "runs/two") == contents(workspace.root / "runs/one")

    tiny_estimators.depth_anything(workspace.root / "moved", seed=1)
    assert "2 of 2 items done, 2 of them now" in lifted("moved", "runs/other", 2)
    assert contents(workspace.root / "runs/other") != contents(workspace.root / "runs/one")
