"""A frozen tower's features, kept: the same losses and gradients, and what is refused."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from tiny_prompts import preparer
from torch import Tensor
from vlm_samples import FAMILIES, SMALL, picture, samples

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.models.injector import InjectionConfig
from vantage.models.vlm.batch import Batch, collate
from vantage.models.vlm.model import SpatialVlm, VlmConfig
from vantage.models.vlm.tower_cache import TowerCache
from vantage.models.vlm.tuning import Tune

CASES = [*FAMILIES, "llava_clip", "nvila_3x3_tiles"]
SITES = (None, "post_vit", "post_projector")


class Calls:
    """Pictures that the tower's first layer was really given."""

    def __init__(self, model: SpatialVlm) -> None:
        self.count = 0
        first = next(m for n, m in model.family.tower(model.base).named_modules() if "patch_embed" in n)
        first.register_forward_hook(self._on)

    def _on(self, *_: Any) -> None:
        self.count += 1


def made(name: str, site: Any = "post_vit", tune: Tune = "lora") -> tuple[SpatialVlm, Batch]:
    prepare = preparer(name)
    injection = None if site is None else InjectionConfig(site)
    batch = collate(samples(prepare), prepare)
    return SpatialVlm(prepare.model, VlmConfig(injection, tune, lora=SMALL), 0).train(), batch


def learned(model: SpatialVlm, batch: Batch, steps: int = 3) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Losses of some steps, and all gradients and parameters after them."""
    optimiser = torch.optim.SGD(model.trained().values(), lr=0.05)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        losses.append(model(batch).total)
        losses[-1].backward()
        optimiser.step()
    found = {f"{n} grad": p.grad for n, p in model.trained().items() if p.grad is not None}
    return losses, found | {n: p.detach() for n, p in model.trained().items()}


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", CASES)
def test_losses_gradients_and_parameters_have_the_bits_of_a_run_without(
    name: str, site: Any, tmp_path: Path
) -> None:
    plain, batch = made(name, site)
    losses, expected = learned(plain, batch)
    model, batch = made(name, site)
    model.keep_features("base", tmp_path)
    calls = Calls(model)
    kept, found = learned(model, batch)
    pictures = len(batch.geometry.grids)
    assert calls.count == pictures, "each once, alone"
    assert model.features and model.features.computed == pictures
    assert model.features.reused == 2 * pictures
    assert len(set(losses)) == 3, "something was learned"
    assert found.keys() == expected.keys() and any("grad" in key for key in found)
    if name in ("idefics3", "smolvlm"):
        # Alone, a picture without padding has no mask; beside one with padding it has one that hides nothing.
        assert torch.allclose(torch.stack(kept), torch.stack(losses), rtol=1e-6)
        assert all(torch.allclose(found[k], v, rtol=1e-5, atol=1e-7) for k, v in expected.items())
    else:
        assert kept == losses
        assert all(torch.equal(found[k], v) for k, v in expected.items())


@pytest.mark.parametrize("tune", get_args(Tune))
def test_what_is_trained_makes_no_difference(tune: Tune, tmp_path: Path) -> None:
    expected = learned(*made("llava", tune=tune))
    model, batch = made("llava", tune=tune)
    model.keep_features("base", tmp_path)
    kept, found = learned(model, batch)
    assert kept == expected[0] and all(torch.equal(found[k], v) for k, v in expected[1].items())
