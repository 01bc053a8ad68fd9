"""`vantage ask` on a made scan and on a real office, with a registered (untrained) model."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from vantage.cli.ask import ask, read_pose
from vantage.core.errors import ParameterError, VantageError
from vantage.questions.words import VOCABULARY, UnknownWord
from vantage.registry.packaging import ModelFiles, register
from vantage.registry.store import find_store
from vantage.registry.tracking import MlflowTracker

sys.path.append(str(Path(__file__).parent.parent / "evaluation"))

CHAMPION = "models:/vantage@champion"
QUESTION = "is there a red chair?"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made workspace whose registry holds a champion."""
    from made_workspace import make

    root = tmp_path_factory.mktemp("ask")
    made = make(root, rooms=1)
    store = find_store(root)
    run = MlflowTracker(store).record("embedding", "d", params={}, metrics={}, tags={})
    files = ModelFiles(made.base, made.inputs["finetune"] / "embedding", "# card", {})
    version = register(store, "vantage", files, run)
    store.client().set_registered_model_alias("vantage", "champion", version)
    return root


@pytest.fixture(autouse=True)
def no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_a_real_office(workspace: Path, office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ask(CHAMPION, "how many chairs are there?", office, None, None, workspace)
    out, err = capsys.readouterr()
    assert out.strip() in VOCABULARY
    assert "42 of 42 frames usable" in err
    (views,) = (line for line in err.splitlines() if line.startswith("views"))
    shown = views.removeprefix("views").partition("(")[0].split(",")
    assert len({int(view) for view in shown}) == 4, "four different views"


def test_a_frame_or_a_pose_to_stand_at(
    workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = workspace / "data" / "raw" / "room0000_00"
    ask(CHAMPION, QUESTION, scan, 1, None, workspace)
    assert "me     frame 1\nviews  1, 0 " in capsys.readouterr().err
    pose = tmp_path / "pose.txt"
    matrix = np.loadtxt(scan / "pose" / "1.txt")
    matrix[0, 3] += 0.05
    np.savetxt(pose, matrix)
    ask(CHAMPION, QUESTION, scan, None, pose, workspace)
    assert "frame 1 is nearest" in capsys.readouterr().err


def test_mistakes_are_told_before_anything_is_loaded(workspace: Path, tmp_path: Path) -> None:
    scan = workspace / "data" / "raw" / "room0000_00"
    with pytest.raises(UnknownWord, match="'piano'"):
        ask(CHAMPION, "is there a piano?", scan, None, None, workspace)
    with pytest.raises(VantageError, match="no such model") as missing:
        ask("models:/vantage@prod", QUESTION, scan, None, None, workspace)
    assert "@champion (version 1)" in str(missing.value)
    assert "mlflow.db" in str(missing.value)
    with pytest.raises(VantageError, match="no registry yet"):
        ask(CHAMPION, QUESTION, scan, None, None, tmp_path)
    assert not (tmp_path / "mlruns").exists()
    with pytest.raises(VantageError, match="no such scan folder"):
        ask(CHAMPION, QUESTION, tmp_path / "nowhere", None, None, workspace)
    with pytest.raises(ParameterError, match="one of 0, 1"):
        ask(CHAMPION, QUESTION, scan, 99, None, workspace)
    with pytest.raises(ParameterError, match="exclude each other"):
        ask(CHAMPION, QUESTION, scan, 1, scan / "pose" / "1.txt", workspace)


@pytest.mark.parametrize("text", ["1 2 3", "a b", " ".join(["2"] * 16), ""])
def test_a_file_that_is_no_pose(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pose.txt"
    path.write_text(text)
    with pytest.raises(ParameterError):
        read_pose(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_pose(tmp_path / "none.txt")
