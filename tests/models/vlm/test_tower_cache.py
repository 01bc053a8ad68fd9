"""A frozen tower's features, kept: the same losses and gradients, and what is refused."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import tiny_vlms
import torch
import torch.distributed as dist
from tiny_prompts import preparer
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from vlm_samples import FAMILIES, SMALL, picture, samples

from vantage.core.errors import ContractError, ParameterError, ResourceError
from vantage.models.families import family_of
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
        self.count, self.still = 0, True
        first = next(m for n, m in model.family.tower(model.base).named_modules() if "patch_embed" in n)
        first.register_forward_hook(self._on)

    def _on(self, module: Any, *_: Any) -> None:
        self.count += 1
        self.still &= not module.training and not torch.is_grad_enabled()


def made(name: str, site: Any = "post_vit", tune: Tune = "lora") -> tuple[SpatialVlm, Batch]:
    prepare = preparer(name)
    injection = None if site is None else InjectionConfig(site)
    batch = collate(samples(prepare), prepare)
    return SpatialVlm(prepare.model, VlmConfig(injection, tune, lora=SMALL), 0).train(), batch


def learned(model: SpatialVlm, batch: Batch, steps: int = 3) -> tuple[list[float], dict[str, Tensor]]:
    """Losses of some steps, and all gradients and parameters after them."""
    optimiser = torch.optim.SGD(model.trained().values(), lr=0.05)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        total = model(batch).total
        total.backward()
        optimiser.step()
        losses.append(float(total.detach()))
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
    assert calls.count == pictures and calls.still, "each once, alone, in evaluation mode"
    assert model.features and model.features.computed == pictures
    assert model.features.reused == 2 * pictures
    assert len(set(losses)) == 3, "something was learned"
    assert found.keys() == expected.keys() and any("grad" in key for key in found)
    assert kept == losses
    assert all(torch.equal(found[k], v) for k, v in expected.items())


@pytest.mark.parametrize("name", tiny_vlms.CASES)
def test_towers_that_stitch_shrink_pad_and_sort_are_stood_in_for(name: str, tmp_path: Path) -> None:
    case = tiny_vlms.CASES[name]()
    case.model.requires_grad_(False)
    cache = TowerCache(case.model, family_of(case.model), None, "base", tmp_path)
    with torch.no_grad():
        expected = case.model(**case.inputs).logits
        for _ in range(2):
            with cache.serve():
                assert torch.equal(case.model(**case.inputs).logits, expected)
    assert cache.computed == cache.reused == len(case.grids)


@pytest.mark.parametrize("tune", get_args(Tune))
def test_what_is_trained_makes_no_difference(tune: Tune, tmp_path: Path) -> None:
    expected = learned(*made("llava", tune=tune))
    model, batch = made("llava", tune=tune)
    model.keep_features("base", tmp_path)
    kept, found = learned(model, batch)
    assert kept == expected[0] and all(torch.equal(found[k], v) for k, v in expected[1].items())


def test_kept_features_outlive_a_process_and_stand_for_no_other_base_or_precision(tmp_path: Path) -> None:
    def seen(base: str, **how: Any) -> tuple[int, int]:
        model, batch = made("llava")
        if how.pop("half", False):
            model.base.to(torch.bfloat16)
        model.keep_features(base, tmp_path)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=how.pop("cast", False)):
            model(batch)
        assert model.features
        return model.features.computed, model.features.reused

    assert seen("one") == (3, 0)
    assert seen("one") == (0, 3)
    assert seen("two") == (3, 0)
    assert seen("one", cast=True) == (3, 0) and seen("one", cast=True) == (0, 3)
    assert seen("one", half=True) == (3, 0)
    assert seen("one") == (0, 3) and seen("two") == (0, 3)


@pytest.mark.parametrize("cast", [False, True])
@pytest.mark.parametrize("name", ["llava", "internvl", "qwen2_5_vl", "qwen3_vl"])
def test_in_bfloat16_a_loss_is_the_same_but_for_its_own_rounding(
    name: str, cast: bool, tmp_path: Path
) -> None:
    found = []
    for keep in (False, True):
        model, batch = made(name)
        if not cast:
            model.base.to(torch.bfloat16)
        if keep:
            model.keep_features("base", tmp_path)
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            found.append([float(model(batch).total.detach()) for _ in range(2)])
    assert found[1][0] == found[1][1]
    assert found[1][0] == pytest.approx(found[0][0], rel=2e-2)


def test_a_picture_is_known_in_any_company_and_under_any_name(tmp_path: Path) -> None:
    prepare = preparer("llava_onevision")
    both = samples(prepare)
    model = SpatialVlm(prepare.model, VlmConfig(InjectionConfig(), "projector"), 0)
    model.keep_features("base", tmp_path)
    assert model.features
    with torch.no_grad():
        whole = model.logits(collate(both, prepare))
        computed = model.features.computed
        renamed = [replace(s, views=tuple(replace(v, name="other") for v in s.views)) for s in both]
        turned = model.logits(collate(renamed[::-1], prepare))
    assert model.features.computed == computed
    assert torch.equal(whole, turned.flip(0))


def test_two_views_of_one_name_are_two_pictures(tmp_path: Path) -> None:
    prepare = preparer("llava")
    first, second = samples(prepare)
    other = replace(first.views[0], image=lambda: picture(30, 20, seed=99))
    model = SpatialVlm(prepare.model, VlmConfig(InjectionConfig(), "projector"), 0)
    plain = copy.deepcopy(model)
    model.keep_features("base", tmp_path)
    for shown in (first, replace(first, views=(other, *first.views[1:])), second):
        batch = collate([shown], prepare)
        with torch.no_grad():
            assert torch.equal(model.logits(batch), plain.logits(batch))


@pytest.mark.parametrize("name", ["idefics3", "smolvlm"])
def test_a_mask_is_part_of_a_picture(name: str, tmp_path: Path) -> None:
    model, batch = made(name, None)
    model.keep_features("base", tmp_path)
    with torch.no_grad():
        before = model.logits(batch)
        mask = batch.inputs["pixel_attention_mask"].clone()
        mask[0, 0, :, 12:] = 0
        masked = replace(batch, inputs={**batch.inputs, "pixel_attention_mask": mask})
        found = model.logits(masked)
        plain, _ = made(name, None)
        assert torch.equal(found, plain.logits(masked)) and not torch.equal(found, before)


def test_damaged_features_are_computed_again(tmp_path: Path) -> None:
    model, batch = made("llava")
    said: list[str] = []
    model.keep_features("base", tmp_path, said.append)
    assert model.features
    with torch.no_grad():
        expected = model.logits(batch)
        files = sorted(tmp_path.rglob("*.safetensors"))
        assert len(files) == 3
        whole = [path.read_bytes() for path in files]
        rng = torch.Generator().manual_seed(0)
        for number in range(24):
            data = bytearray(whole[0])
            at = int(torch.randint(len(data), (), generator=rng))
            files[0].write_bytes(
                data[:at] if number % 2 else data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            )
            assert torch.equal(model.logits(batch), expected), number
            assert files[0].read_bytes() == whole[0], "mended"
    assert model.features.computed == 3 + 24 == 3 + len(said) and files[0].name in said[-1]
    files[1].write_bytes(whole[0])  # features of another picture
    with torch.no_grad():
        assert torch.equal(model.logits(batch), expected)


def test_features_that_cannot_be_written_are_an_error(tmp_path: Path) -> None:
    model, batch = made("llava")
    (tmp_path / "file").write_text("")
    model.keep_features("base", tmp_path / "file")
    with pytest.raises(ResourceError, match="could not be written"):
        model(batch)


def test_points_of_other_pictures_are_refused_as_ever_and_the_tower_is_left_as_it_was(tmp_path: Path) -> None:
    model, batch = made("llava")
    model.keep_features("base", tmp_path)
    tower = model.family.tower(model.base)
    before = tower.forward
    model(batch)
    short = replace(batch, inputs={**batch.inputs, "pixel_values": batch.inputs["pixel_values"][:-1]})
    with pytest.raises(ContractError, match="coordinates do not fit"):
        model(short)
    assert tower.forward == before and "forward" not in vars(tower)
    assert all(part.training for part in tower.modules())


def test_inputs_that_no_picture_is_known_to_own_are_refused(tmp_path: Path) -> None:
    model, batch = made("llava")
    model.keep_features("base", tmp_path)
    assert model.features
    tower = model.family.tower(model.base)
    with model.features.serve(), pytest.raises(ContractError, match="more than pictures"):
        tower(batch.inputs["pixel_values"], positions=torch.zeros(3))
    with model.features.serve(), pytest.raises(ContractError, match="more than pictures"):
        tower(batch.inputs["pixel_values"], masks={"full": torch.zeros(3)})


@pytest.mark.parametrize("name", FAMILIES)
def test_what_differs_from_pass_to_pass_is_refused(name: str, tmp_path: Path) -> None:
    prepare = preparer(name)
    for config, why in (
        (VlmConfig(InjectionConfig("pre_vit"), "projector"), "before its blocks"),
        (VlmConfig(InjectionConfig(), "full", tower=True), "the vision tower is trained"),
    ):
        model = SpatialVlm(copy.deepcopy(prepare.model), config, 0)
        with pytest.raises(ParameterError, match=why) as caught:
            model.keep_features("base", tmp_path)
        assert "finetune.vlm.cache_features" in str(caught.value)
    prepare.model.config.vision_config.attention_dropout = 0.1
    model = SpatialVlm(prepare.model, VlmConfig(InjectionConfig(), "projector"), 0)
    with pytest.raises(ParameterError, match="draws anew"):
        model.keep_features("base", tmp_path)
    assert not list(tmp_path.iterdir())


def test_recomputed_activations_change_no_gradient_and_no_picture(tmp_path: Path) -> None:
    expected = learned(*made("qwen3_vl"))
    model, batch = made("qwen3_vl")
    model.checkpoint_gradients()
    model.keep_features("base", tmp_path)
    calls = Calls(model)
    losses, found = learned(model, batch)
    assert calls.count == len(batch.geometry.grids)
    assert losses == pytest.approx(expected[0], rel=1e-6)
    assert all(torch.allclose(found[k], v, rtol=1e-5, atol=1e-7) for k, v in expected[1].items())


def test_a_tower_that_is_sharded_over_processes_is_refused(tmp_path: Path) -> None:
    model, batch = made("llava")
    model.keep_features("base", tmp_path)
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        fully_shard(model.family.tower(model.base), mesh=init_device_mesh("cpu", (1,)))
        with pytest.raises(ParameterError, match="sharded"):
            model(batch)
    finally:
        dist.destroy_process_group()
    assert not list(tmp_path.iterdir())
