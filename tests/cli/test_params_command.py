"""`vantage params`: profiles laid over the file, and a base from a folder or from a hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hub_server import hub
from vantage.lift.config import LiftConfig
from vantage.lift.processors.table import processor_warp
from vantage.pipeline.params import Params, load_params

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS = {
    "image_processor_type": "LlavaOnevisionImageProcessor",
    "size": {"height": 384, "width": 384},
    "image_grid_pinpoints": [[384, 768], [768, 384]],
    "image_mean": [0.5, 0.5, 0.5],
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "preprocessor_config.json").write_text(json.dumps(SETTINGS))
    (folder / "config.json").write_text('{"vision_config": {"patch_size": 14}}')
    (folder / "model.safetensors").write_bytes(b"many bytes")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Its file leaves most keys to the defaults."""
    root = tmp_path / "workspace"
    root.mkdir()
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text("seed: 7\nlift: {views: 5}\n")
    (root / "profiles").symlink_to(REPOSITORY / "profiles")
    return root


def params(workspace: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vantage", "params", *arguments, "--workspace", str(workspace)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def written(workspace: Path, *arguments: str, **variables: str) -> Params:
    done = params(workspace, *arguments, "--write", **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {workspace / 'params.yaml'}\n"
    return load_params(workspace)


def test_profiles_lie_over_the_file_in_turn_and_nothing_else_changes(workspace: Path) -> None:
    found = written(workspace, "--profile", "scannet", "--profile", "multiview")
    assert found.section("download").source == "scannet" and found.section("extract").stride == 25
    assert list(found.section("finetune").arms) == ["projector", "other_sample", "random_yaw", "multiview"]
    assert found.section("finetune").arms["random_yaw"].coordinates == "random_yaw"
    assert found.seed == 7 and found.section("lift").views == 5
    text = (workspace / "params.yaml").read_text()
    assert "  # Views in a scan's general view set.\n  views: 5\n" in text
    assert written(workspace, "--profile", "multiview") == found, "once more changes nothing"
    assert written(workspace, "--defaults").seed == 0


def test_printing_changes_nothing(workspace: Path) -> None:
    before = (workspace / "params.yaml").read_text()
    assert params(workspace).stdout == before
    printed = yaml.safe_load(params(workspace, "--profile", "tiny").stdout)
    assert printed["seed"] == 7 and printed["finetune"]["steps"] == 4
    assert (workspace / "params.yaml").read_text() == before


def test_a_base_brings_the_patches_of_the_pictures_that_it_sees(workspace: Path, model: Path) -> None:
    found = written(workspace, "--base", str(model))
    lift: LiftConfig = found.section("lift")
    assert lift.warp(640, 480) == processor_warp(model, 640, 480, 4) and lift.views == 5
    assert all(found.section(stage).base.model == str(model) for stage in ("finetune", "evaluate", "promote"))
    eight = written(workspace, "--profile", "multiview", "--base", str(model)).section("lift")
    assert eight.views_together == 8 and eight.warp(640, 480) == processor_warp(model, 640, 480, 8)
    back = written(workspace, "--base", "shipped")
    assert back.section("finetune").base.model == "shipped"
    assert back.section("lift").warp(640, 480) == LiftConfig().warp(640, 480)


def test_a_folder_named_from_elsewhere_is_found_from_the_workspace(
    workspace: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    assert written(workspace, "--base", model.name).section("finetune").base.model == f"../{model.name}"
    monkeypatch.chdir(workspace)
    assert (
        written(workspace, "--base", f"../{model.name}").section("finetune").base.model == f"../{model.name}"
    )


def test_of_a_hubs_model_only_settings_are_fetched(workspace: Path, model: Path, tmp_path: Path) -> None:
    with hub(model, "someone/some-vlm") as (address, asked):
        found = written(
            workspace, "--base", "someone/some-vlm", "--revision", "v1",
            HF_ENDPOINT=address, HF_HOME=str(tmp_path / "cache"), HF_HUB_OFFLINE="0", HF_HUB_DISABLE_XET="1",
        )  # fmt: skip
    assert found.section("lift").warp(640, 480) == processor_warp(model, 640, 480, 4)
    base = found.section("promote").base
    assert (base.model, base.revision) == ("someone/some-vlm", "v1")
    assert any(path.endswith("/revision/v1") for path in asked)
    assert not any(path.endswith(".safetensors") for path in asked)


def test_what_cannot_be_laid_over_is_refused_and_nothing_written(workspace: Path, model: Path) -> None:
    before = (workspace / "params.yaml").read_text()
    (model / "preprocessor_config.json").write_text('{"image_processor_type": "FovealImageProcessor"}')
    done = params(workspace, "--base", str(model), "--write")
    assert done.returncode == 2 and "SiglipImageProcessor" in done.stderr
    (model / "preprocessor_config.json").unlink()
    done = params(workspace, "--base", str(model), "--write")
    assert done.returncode == 2 and "preprocessor_config.json" in done.stderr
    done = params(workspace, "--revision", "v1", "--write")
    assert done.returncode == 2 and "--revision" in done.stderr and "--base" in done.stderr
    done = params(workspace, "--profile", "multivew", "--write")
    assert done.returncode == 2 and "multiview" in done.stderr and "multivew" in done.stderr
    (workspace / "profiles").unlink()
    (workspace / "profiles").mkdir()
    (workspace / "profiles" / "own.yaml").write_text("finetune:\n  stepz: 3\n")
    done = params(workspace, "--profile", "own", "--write")
    assert done.returncode == 2 and "own.yaml:2" in done.stderr and "did you mean steps" in done.stderr
    assert (workspace / "params.yaml").read_text() == before
