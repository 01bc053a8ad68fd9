"""The loop on stock vision-language models of real classes, tiny and random, made spatial."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vantage.core.progress import Silent
from vantage.training.checkpoint import LAST, read
from vantage.training.loop import Plan, train
from vantage.training.tree import parameter_tree

MODELS = Path(__file__).parent.parent / "models"
sys.path += [str(MODELS), str(MODELS / "vlm")]  # tiny_prompts, vlm_samples

from tiny_prompts import preparer  # noqa: E402
from vlm_samples import SMALL, samples  # noqa: E402

from vantage.models.prompts import Preparer  # noqa: E402
from vantage.models.vlm.batch import Batch, collate  # noqa: E402
from vantage.models.vlm.model import SpatialVlm, VlmConfig  # noqa: E402

FAMILIES = ("llava", "qwen2_5_vl", "smolvlm")


@dataclass(frozen=True)
class Rooms:
    """Both samples at every step, together or each by itself."""

    prepare: Preparer
    together: bool = True

    def batch(self, step: int, rank: int, world: int) -> Sequence[Batch]:
        both = samples(self.prepare)
        parts = [both] if self.together else [[sample] for sample in both]
        return [collate(part, self.prepare) for part in parts]

    def digest(self) -> str:
        return "rooms"


def run(name: str, work: Path, *, together: bool = True, dropout: float = 0.0, **changes: Any) -> Any:
    prepare = preparer(name)
    config = VlmConfig(tune="lora", lora=replace(SMALL, dropout=dropout))
    model = SpatialVlm(prepare.model, config, 0)
    plan = Plan(**({"steps": 4, "key": "key", "precision": "fp32", "checkpoint_every": 2} | changes))
    return model, train(model, Rooms(prepare, together), plan, work, Silent())


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_apart_or_together_recomputed_or_kept_learn_the_same(name: str, tmp_path: Path) -> None:
    model, outcome = run(name, tmp_path / "a")
    whole = outcome.losses
    assert len(set(whole)) == len(whole), "something was learned"
    apart = run(name, tmp_path / "b", together=False)[1].losses
    again = run(name, tmp_path / "c", gradient_checkpointing=True, workers=2)[1].losses
    assert np.allclose(whole, apart, atol=1e-4) and np.allclose(whole, again, atol=1e-5)
    parts = parameter_tree(model)
    assert sum(p.trained for p in parts) == sum(p.numel() for p in model.trained().values())
    assert any("lora_A" in part.name and "*" in part.name and part.trained for part in parts)
    assert len(parts) < 80, "layers stand in one line"


def test_dropout_of_adapters_draws_the_same_after_a_kill(tmp_path: Path) -> None:
    class StopAt(Silent):
        def step(self, done: int, total: int, note: str = "") -> None:
            raise InterruptedError

    model, outcome = run("llava", tmp_path / "whole", dropout=0.5, steps=12)
    plain = run("llava", tmp_path / "plain", steps=12)[1]
    assert outcome.losses != plain.losses, "there was dropout"
    prepare = preparer("llava")
    broken = SpatialVlm(prepare.model, VlmConfig(tune="lora", lora=replace(SMALL, dropout=0.5)), 0)
    plan = Plan(12, "key", precision="fp32", checkpoint_every=2)
    with pytest.raises(InterruptedError):
        train(broken, Rooms(prepare), plan, tmp_path / "broken", StopAt())
    assert len(read(tmp_path / "broken" / LAST).losses) == 8
    resumed, again = run("llava", tmp_path / "broken", dropout=0.5, steps=12)
    assert again.losses == outcome.losses
    assert all((v == resumed.trained()[k]).all() for k, v in model.trained().items())
