"""An arm on a vision-language model gives the same bytes with its tower's features kept as without."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent.parent
sys.path += [str(TESTS), str(TESTS / "models" / "vlm")]  # pocket_as_vlm, question_folders

from question_folders import Folders  # noqa: E402

from pocket_as_vlm import write  # noqa: E402
from vantage.core.errors import ParameterError  # noqa: E402
from vantage.core.hashing import digest_tree  # noqa: E402
from vantage.core.progress import Silent  # noqa: E402
from vantage.core.tasks import Task  # noqa: E402
from vantage.models.config import BaseConfig  # noqa: E402
from vantage.models.pocket import PocketShape, build  # noqa: E402
from vantage.training.config import ArmConfig, FinetuneConfig, VlmTraining  # noqa: E402
from vantage.training.rehearsal import rehearse  # noqa: E402
from vantage.training.stage import finetune  # noqa: E402

SMALL = PocketShape(
    vision_width=32, vision_layers=2, vision_heads=2, vision_mlp=48, width=96, layers=1, heads=2, mlp=64
)
ARMS = {
    "after": ArmConfig("multiview", "post_vit", options={"tune": "lora", "lora": {"rank": 4}}),
    "before": ArmConfig("multiview"),
    "tower": ArmConfig("multiview", "post_vit", options={"tune": "full", "tower": True}),
    "situated": ArmConfig("situated"),
    "posealign": ArmConfig("posealign"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = Folders(tmp_path_factory.mktemp("stages"), grid=(8, 8))
    for number in range(4):
        made.scan(f"room{number:04d}_00", "train", 40 + 25 * number)
    made.index()
    return made.inputs


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("vlm"), build(SMALL, seed=1))


def config(base: Path, keep: bool, **changes: Any) -> FinetuneConfig:
    vlm = VlmTraining(samples=3, cache_features=keep)
    families = ("where", "is", "count")
    plain = FinetuneConfig(
        BaseConfig(str(base)), 7, warm_up=2, precision="fp32", families=families, vlm=vlm, arms=ARMS
    )
    return replace(plain, checkpoint_every=2, **changes)


def task(inputs: dict[str, Path], folder: Path, arm: str = "after", progress: Any = None) -> Task:
    for name in ("out", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return Task(arm, inputs, folder / "out", folder / "work", 3, progress or Silent())


@pytest.mark.parametrize("arm", ["after", "situated", "posealign"])
def test_an_adapter_has_the_same_bytes_with_and_without(
    arm: str, inputs: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    for name, keep in (("plain", False), ("kept", True)):
        finetune(task(inputs, tmp_path / name, arm), config(base, keep))
    assert digest_tree(tmp_path / "plain" / "out") == digest_tree(tmp_path / "kept" / "out")
    assert not (tmp_path / "plain" / "work" / "features").exists()
    pictures = list((tmp_path / "kept" / "work" / "features").rglob("*.safetensors"))
    assert len(pictures) == 16, "four frames of each scan, however many samples show them"


def test_a_killed_run_takes_up_its_features_and_gives_the_same_bytes(
    inputs: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    class StopAt(Silent):
        def step(self, done: int, total: int, note: str = "") -> None:
            if total > 1 and "loss" in note:
                raise InterruptedError

    long = replace(config(base, True), steps=14)
    finetune(task(inputs, tmp_path / "whole"), long)
    with pytest.raises(InterruptedError):
        finetune(task(inputs, tmp_path / "broken", progress=StopAt()), long)
    features = tmp_path / "broken" / "work" / "features"
    written = {path: path.stat().st_mtime_ns for path in features.rglob("*.safetensors")}
    assert written
    finetune(task(inputs, tmp_path / "broken"), long)
    assert all(path.stat().st_mtime_ns == at for path, at in written.items()), "none was computed again"
    assert digest_tree(tmp_path / "broken" / "out") == digest_tree(tmp_path / "whole" / "out")


@pytest.mark.parametrize(("arm", "why"), [("before", "before its blocks"), ("tower", "is trained")])
def test_arms_whose_features_change_are_refused(
    arm: str, why: str, inputs: dict[str, Path], base: Path, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match=why):
        finetune(task(inputs, tmp_path, arm), config(base, True))
    finetune(task(inputs, tmp_path, arm), config(base, False))


def test_a_dry_run_leaves_no_features(inputs: dict[str, Path], base: Path, tmp_path: Path) -> None:
    told = rehearse(task(inputs, tmp_path), config(base, True))
    assert any("smallest sample" in line for line in told)
    assert not list((tmp_path / "work").iterdir())
