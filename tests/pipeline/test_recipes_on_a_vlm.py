"""The four recipes on a stock vision-language model, from questions to scores, by commands."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import tiny
from safetensors.torch import load_file

import pocket_as_vlm
from vantage.core.hashing import digest_tree
from vantage.models.loading import load_vlm
from vantage.models.prompts import Preparer
from vantage.models.situated import add_tokens
from vantage.models.vlm.checkpoint import load_merged
from vantage.records.predictions import read_predictions

pytestmark = pytest.mark.slow

LORA = {"tune": "lora", "lora": {"rank": 4, "alpha": 8.0, "dropout": 0.0}}
ARMS = {
    "plain": {"site": "none"},
    "multiview": {"recipe": "multiview", "site": "post_vit"},
    "situated": {"recipe": "situated", "options": LORA},
    "grounded": {"recipe": "grounded", "options": {**LORA, "tower": False}},
    "transform": {"recipe": "posealign", "options": LORA},
    "embed": {"recipe": "posealign", "options": {**LORA, "align": {"mode": "embed"}}},
}


@pytest.fixture(scope="module")
def trained(finished: tiny.Tiny, tmp_path_factory: pytest.TempPathFactory) -> tiny.Tiny:
    """A workspace whose arms and scores are those of a stock LLaVA with the pocket model's weights."""
    workspace = finished.copy(tmp_path_factory.mktemp("vlm") / "workspace")
    pocket_as_vlm.write(workspace.root / "llava")
    for key, value in {
        "base.model": "llava",
        "finetune.steps": 3,
        "finetune.arms": ARMS,
        "finetune.vlm": {"tokens": 3000, "samples": 2},
        "answering.max_new_tokens": 1,
        "evaluate.headline_arm": "multiview",
        "evaluate.baseline_arm": "plain",
        "evaluate.controls": ["blind", "random_yaw"],
    }.items():
        workspace.set(key, value)
    workspace.vantage("run", "finetune")
    workspace.vantage("run", "evaluate")
    return workspace


def described(workspace: tiny.Tiny, arm: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((workspace.root / f"models/arms/{arm}/config.json").read_text())
    return value


def test_every_recipe_trains_what_it_says(trained: tiny.Tiny) -> None:
    tensors = {arm: set(load_file(trained.root / f"models/arms/{arm}/model.safetensors")) for arm in ARMS}
    assert all("multi_modal_projector" in name for name in tensors["plain"])
    for arm, parts in {
        "multiview": {"encoder"}, "situated": {"situated", "lora"}, "grounded": {"lora"},
        "transform": {"encoder", "lora"}, "embed": {"encoder", "lora"},
    }.items():  # fmt: skip
        kinds = {part for part in ("encoder", "situated", "lora") for n in tensors[arm] if part in n}
        assert kinds == parts, arm
    for arm in ARMS:
        history = (trained.root / f"models/arms/{arm}/history.jsonl").read_text().splitlines()
        assert len(history) == 3 and all(math.isfinite(json.loads(row)["loss"]) for row in history)


def test_adapters_say_how_they_are_asked(trained: tiny.Tiny) -> None:
    about = {arm: described(trained, arm)["about"] for arm in ARMS}
    assert [about[arm]["dialogs"] for arm in ("multiview", "grounded")] == ["single", "grounded"]
    assert about["embed"]["align"]["mode"] == "embed" and about["multiview"]["align"] is None


def test_every_arm_answers_every_held_out_question(trained: tiny.Tiny) -> None:
    folder = trained.root / "reports/evaluation"
    items = [*ARMS, "multiview@blind", "multiview@random_yaw"]
    answers = {item: read_predictions(folder / item) for item in items}
    asked = [p.question_id for p in answers["plain"]]
    assert asked and all([p.question_id for p in found] == asked for found in answers.values())
    # The pocket model's weights know what exists before any training; three steps unlearn nothing.
    exist = [p.prediction == p.answer for p in answers["multiview"] if p.family == "exist"]
    assert sum(exist) >= 0.7 * len(exist)
    report = json.loads((folder / "report.json").read_text())
    assert set(report["basis"]["arms"]) == set(ARMS) and report["basis"]["base"] == "own"


def test_a_situated_model_tells_where_it_is_and_how_sure(trained: tiny.Tiny) -> None:
    folder = trained.root / "reports/evaluation"
    rows = [json.loads(line) for line in (folder / "situated/places.jsonl").read_text().splitlines()]
    assert len(rows) == len(read_predictions(folder / "situated"))
    for row in rows:
        found, truth = row["found"], row["truth"]
        assert found["frame"] == "aligned" and found["sigma_x"] > 0 and -math.pi <= found["yaw"] <= math.pi
        assert set(truth) == {"x", "y", "yaw"}
    assert not (folder / "multiview/places.jsonl").exists()


def test_training_again_gives_the_same_bytes(trained: tiny.Tiny, tmp_path: Path) -> None:
    before = digest_tree(trained.root / "models/arms/situated")
    again = trained.copy(tmp_path / "workspace")
    again.forget("finetune")
    again.set("finetune.arms", {"situated": ARMS["situated"]})
    again.vantage("run", "finetune")
    assert digest_tree(again.root / "models/arms/situated") == before


@pytest.mark.parametrize("arm", ["situated", "transform"])
def test_an_arm_becomes_a_stock_model(trained: tiny.Tiny, tmp_path: Path, arm: str) -> None:
    out = tmp_path / "merged"
    words = ("export", "merged", "--base", "llava", "--adapter", f"models/arms/{arm}", "--out", str(out))
    trained.vantage(*words)
    stock = load_vlm(out)
    assert not any("lora" in name for name in stock.model.state_dict())
    prepare = Preparer.load(stock.model, out)
    tokens = add_tokens(prepare.tokenizer) if arm == "situated" else None
    merged = load_merged(out, tokens)
    assert (merged.situated is not None, merged.injector is not None) == (
        arm == "situated",
        arm != "situated",
    )
    again = trained.vantage(*words, check=False)
    assert again.returncode == 2 and "something already" in again.stderr + again.stdout


def test_another_recipe_is_refused_by_the_pocket_model(finished: tiny.Tiny, tmp_path: Path) -> None:
    workspace = finished.copy(tmp_path / "workspace")
    workspace.set("finetune.arms", {"projector": {"recipe": "situated"}})
    said = workspace.vantage("run", "finetune", check=False)
    assert said.returncode == 2 and "trained by one recipe" in said.stderr + said.stdout


def test_an_option_that_is_none_is_named(finished: tiny.Tiny, tmp_path: Path) -> None:
    workspace = finished.copy(tmp_path / "workspace")
    workspace.set("finetune.arms", {"own": {"recipe": "multiview", "options": {"tunes": "lora"}}})
    said = workspace.vantage("run", "finetune", check=False)
    assert said.returncode == 2 and "tunes" in said.stderr + said.stdout
