"""An arm on a base that is held in bfloat16 learns as on one in float32, but for bfloat16's rounding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from test_asked import Book, base, config, inputs, task

from vantage.models.vlm.trained import TrainedVlm
from vantage.training.config import FinetuneConfig
from vantage.training.stage import HISTORY_FILE, finetune
from vantage.training.vlm_arm import prepare_vlm

__all__ = ["base", "inputs"]  # fixtures


def held(folder: Path, weights: Any) -> FinetuneConfig:
    plain = config(folder, 2, steps=4)
    return replace(plain, base=replace(plain.base, weights=weights))


def losses(folder: Path) -> np.ndarray:
    rows = (folder / "out" / HISTORY_FILE).read_text().splitlines()
    return np.array([json.loads(row)["loss"] for row in rows])


@pytest.mark.parametrize("arm", ["adapters", "situated"])
def test_what_is_learned_beside_a_base_in_bfloat16_is_kept_in_float32(
    arm: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    rooms, folder = request.getfixturevalue("inputs"), request.getfixturevalue("base")
    book = Book()
    for weights in ("float32", "bfloat16"):
        finetune(task(rooms, tmp_path / weights, arm, book), held(folder, weights))
    assert np.allclose(losses(tmp_path / "bfloat16"), losses(tmp_path / "float32"), rtol=0.1, atol=0.05)
    saved = load_file(tmp_path / "bfloat16/out/model.safetensors")
    assert {value.dtype for value in saved.values()} == {torch.float32}
    rounded = [torch.equal(value, value.bfloat16().float()) for value in saved.values() if value.numel() > 8]
    assert not all(rounded), "every number is one of bfloat16's: small steps are lost"
    assert len(book.tables) == 4  # its answers are shown
    again = TrainedVlm.load(str(folder), tmp_path / "bfloat16/out", precision="bfloat16")
    assert {p.dtype for p in again.model.base.parameters()} == {torch.bfloat16}


def test_the_base_is_held_as_the_parameters_say(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    rooms, folder = request.getfixturevalue("inputs"), request.getfixturevalue("base")
    for weights in ("float32", "bfloat16"):
        model = prepare_vlm(task(rooms, tmp_path, "adapters", None), held(folder, weights)).model
        trained = model.trained()
        frozen = {p.dtype for name, p in model.named_parameters() if name not in trained}
        assert frozen == {getattr(torch, weights)}
        assert {p.dtype for p in trained.values()} == {torch.float32}
