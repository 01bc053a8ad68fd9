"""`vantage lift-settings`: from a folder, from a hub on loopback, and errors that say what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub_server import hub
from vantage.lift.config import LiftConfig
from vantage.lift.processors.table import processor_warp

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


def settings(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vantage", "lift-settings", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def config(done: subprocess.CompletedProcess[str]) -> LiftConfig:
    assert done.returncode == 0, done.stderr
    section: dict[str, Any] = yaml.safe_load(done.stdout)
    assert list(section) == ["lift"]
    return LiftConfig(**section["lift"])


def test_a_folders_block_is_what_params_yaml_takes(model: Path) -> None:
    for views in (1, 8):
        found = config(settings("--base", str(model), "--views", str(views)))
        assert found.warp(640, 480) == processor_warp(model, 640, 480, views)
        assert found.views_together == views
    assert len(found.warp(640, 480).tiles) == 1


def test_of_a_hubs_model_only_settings_are_fetched(model: Path, tmp_path: Path) -> None:
    with hub(model, "someone/some-vlm") as (address, asked):
        done = settings(
            "--base", "someone/some-vlm", "--revision", "v1",
            HF_ENDPOINT=address, HF_HOME=str(tmp_path / "cache"), HF_HUB_OFFLINE="0", HF_HUB_DISABLE_XET="1",
        )  # fmt: skip
    assert config(done).warp(640, 480) == processor_warp(model, 640, 480, 4)
    assert any(path.endswith("/revision/v1") for path in asked)
    assert not any(path.endswith(".safetensors") for path in asked)


def test_a_model_without_known_settings_is_refused(model: Path) -> None:
    (model / "preprocessor_config.json").write_text('{"image_processor_type": "FovealImageProcessor"}')
    done = settings("--base", str(model))
    assert done.returncode == 2 and "SiglipImageProcessor" in done.stderr
    (model / "preprocessor_config.json").unlink()
    done = settings("--base", str(model))
    assert done.returncode == 2 and "preprocessor_config.json" in done.stderr
