"""A trained model on disk: equal outputs after loading, and refused where it does not belong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from nvila_folders import write_nvila
from safetensors.torch import load_file, save_file
from tiny_prompts import preparer
from tiny_vlms import CASES
from vlm_samples import FAMILIES, SMALL, TUNES, samples, stepped

from vantage.core.errors import ContractError
from vantage.models.encoders import EncoderConfig
from vantage.models.families import Site
from vantage.models.injector import InjectionConfig
from vantage.models.loading import load_vlm
from vantage.models.loading.load import BaseIdentity, LoadedBase
from vantage.models.prompts import Preparer
from vantage.models.vlm.batch import Batch, collate
from vantage.models.vlm.checkpoint import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    export_merged,
    load_adapter,
    load_merged,
    save_adapter,
)
from vantage.models.vlm.model import SpatialVlm, VlmConfig

IDENTITY = BaseIdentity("someone/some-vlm", "main", "llava", "0" * 64)
MLP = EncoderConfig("mlp", "scene_centred", 16)


def base_folder(name: str, folder: Path) -> Path:
    """A stock model with tokenizer and image processor, as a hub's snapshot has them."""
    prepare = preparer(name)
    for part in (prepare.model, prepare.tokenizer, prepare.image_processor):
        part.save_pretrained(folder)
    return folder


def trained(base: LoadedBase, config: VlmConfig) -> tuple[SpatialVlm, Batch]:
    prepare = Preparer.load(base.model, base.folder)
    batch = collate(samples(prepare), prepare)
    model = SpatialVlm(base.model, config, seed=1)
    stepped(model, batch, 3)
    return model.eval(), batch


def answers(model: SpatialVlm, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(batch)


@pytest.mark.parametrize("tune", TUNES)
@pytest.mark.parametrize("name", FAMILIES)
def test_outputs_are_equal_after_loading_into_the_base(name: str, tune: Any, tmp_path: Path) -> None:
    folder = base_folder(name, tmp_path / "base")
    base = load_vlm(folder)
    config = VlmConfig(InjectionConfig("pre_vit", encoder=MLP), tune, lora=SMALL)
    model, batch = trained(base, config)
    found = answers(model, batch)
    save_adapter(tmp_path / "adapter", model, base.identity, {"recipe": "multiview"})
    loaded = load_adapter(tmp_path / "adapter", load_vlm(folder), config.injection)
    assert torch.equal(answers(loaded, batch), found)
    assert not any(p.requires_grad for p in loaded.parameters()) and not loaded.training
    untrained = SpatialVlm(load_vlm(folder).model, config, seed=1)
    assert not torch.equal(answers(untrained, batch), found)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_merged_model_is_a_stock_model_that_answers_alike(name: str, tmp_path: Path) -> None:
    base = load_vlm(base_folder(name, tmp_path / "base"))
    model, batch = trained(base, VlmConfig(InjectionConfig("post_vit", encoder=MLP), "lora", lora=SMALL))
    found = answers(model, batch)
    export_merged(tmp_path / "merged", model, base, {"recipe": "multiview"})
    merged = load_merged(tmp_path / "merged")
    assert torch.allclose(answers(merged, batch), found, atol=1e-4)
    stock = load_vlm(tmp_path / "merged")
    assert not any("lora_" in key for key in stock.model.state_dict())
    Preparer.load(stock.model, tmp_path / "merged")


def test_a_merged_model_of_nvilas_three_folders_is_one_folder(tmp_path: Path) -> None:
    prepare = preparer("nvila_3x3")
    write_nvila(tmp_path / "base", CASES["nvila_3x3"](), "folders")
    prepare.tokenizer.save_pretrained(tmp_path / "base" / "llm")
    prepare.image_processor.save_pretrained(tmp_path / "base" / "vision_tower")
    base = load_vlm(tmp_path / "base")
    model, batch = trained(base, VlmConfig(InjectionConfig("post_vit", encoder=MLP), "lora", lora=SMALL))
    found = answers(model, batch)
    export_merged(tmp_path / "merged", model, base, {})
    merged = load_merged(tmp_path / "merged")
    assert torch.allclose(answers(merged, batch), found, atol=1e-4)
    Preparer.load(merged.base, tmp_path / "merged")


@pytest.mark.parametrize("site", get_args(Site))
def test_every_site_comes_back(site: Site, tmp_path: Path) -> None:
    folder = base_folder("llava", tmp_path / "base")
    base = load_vlm(folder)
    model, batch = trained(base, VlmConfig(InjectionConfig(site, encoder=MLP)))
    save_adapter(tmp_path / "adapter", model, base.identity, {})
    assert torch.equal(
        answers(load_adapter(tmp_path / "adapter", load_vlm(folder)), batch), answers(model, batch)
    )


def test_an_adapter_holds_the_trained_tensors_and_no_more(tmp_path: Path) -> None:
    base = load_vlm(base_folder("llava", tmp_path / "base"))
    model, _ = trained(base, VlmConfig(None, "projector"))
    save_adapter(tmp_path / "adapter", model, base.identity, {})
    assert set(load_file(tmp_path / "adapter" / WEIGHTS_FILE)) == set(model.trained())
    assert all("multi_modal_projector" in name for name in model.trained())


Saved = tuple[LoadedBase, Path]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    model = SpatialVlm(CASES["llava"]().model, VlmConfig(InjectionConfig("post_vit")), seed=1)
    save_adapter(tmp_path, model, IDENTITY, {"recipe": "multiview"})
    return LoadedBase(CASES["llava"]().model, tmp_path, IDENTITY), tmp_path


def test_it_says_what_it_belongs_to_and_nothing_of_this_machine(saved: Saved) -> None:
    value = json.loads((saved[1] / CONFIG_FILE).read_text())
    injection = value["config"]["injection"]
    assert (value["family"], injection["site"], injection["frame"], value["unit"]) == (
        "llava", "post_vit", "ego_level", "m",
    )  # fmt: skip
    assert value["base"]["base"] == "someone/some-vlm" and value["about"] == {"recipe": "multiview"}
    assert injection["encoder"]["normalisation"] == "metres"
    assert str(saved[1]) not in (saved[1] / CONFIG_FILE).read_text()


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (InjectionConfig("pre_vit"), "another embedding"),
        (InjectionConfig("post_vit", encoder=EncoderConfig(normalisation="box_unit")), "another embedding"),
        (InjectionConfig("post_vit", encoder=EncoderConfig("mlp")), "another embedding"),
        (InjectionConfig("post_vit", "aligned"), "wrong frame"),
    ],
)
def test_another_site_normalisation_encoder_or_frame_is_refused(
    saved: Saved, expected: InjectionConfig, message: str
) -> None:
    base, folder = saved
    with pytest.raises(ContractError, match=message):
        load_adapter(folder, base, expected)


def test_a_pose_encoder_is_not_taken_for_another(saved: Saved, tmp_path: Path) -> None:
    model = CASES["llava"]().model
    for kind in ("pose_point", "pose_view"):
        config = InjectionConfig("post_vit", "aligned", EncoderConfig(kind))
        folder = tmp_path / kind
        save_adapter(folder, SpatialVlm(model, VlmConfig(config), seed=1), IDENTITY, {})
        base = LoadedBase(CASES["llava"]().model, folder, IDENTITY)
        loaded = load_adapter(folder, base, config)
        assert loaded.injector is not None and loaded.injector.config == config
        for other in {"pose_point", "pose_view", "sinusoid_mlp"} - {kind}:
            with pytest.raises(ContractError, match="another embedding"):
                load_adapter(folder, base, replace(config, encoder=EncoderConfig(other)))


def test_another_base_or_family_is_refused(saved: Saved) -> None:
    base, folder = saved
    other = replace(IDENTITY, fingerprint="1" * 64)
    with pytest.raises(ContractError, match="another base"):
        load_adapter(folder, LoadedBase(base.model, folder, other))
    # PaliGemma's widths are LLaVA's here: only the family's name tells them apart.
    with pytest.raises(ContractError, match="another family"):
        load_adapter(folder, LoadedBase(CASES["paligemma"]().model, folder, IDENTITY))


def test_weights_that_are_missing_unknown_misshaped_or_damaged_are_refused(saved: Saved) -> None:
    base, folder = saved
    path = folder / WEIGHTS_FILE
    good = load_file(path)
    for change in (
        {k: v for k, v in good.items() if k != "encoder.null"},
        {**good, "base.model.multi_modal_projector.linear_3.bias": torch.zeros(2)},
        {**good, "encoder.null": torch.zeros(3)},
    ):
        save_file(change, path)
        with pytest.raises(ContractError, match="does not fit the model"):
            load_adapter(folder, base)
    save_file(good, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ContractError, match="damaged"):
        load_adapter(folder, base)
    path.unlink()
    with pytest.raises(ContractError, match="missing"):
        load_adapter(folder, base)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("injection", "site"), "mid_vit"),
        (("injection", "frame"), "lunar"),
        (("injection", "encoder", "kind"), "fourier"),
        (("injection", "encoder", "normalisation"), "inches"),
        (("lora", "rank"), 0),
        (("rates", "projector"), "fast"),
        (("tune",), "all"),
        (("new",), 1),
    ],
)
def test_a_description_that_is_not_understood_is_refused(
    saved: Saved, keys: tuple[str, ...], value: object
) -> None:
    base, folder = saved
    path = folder / CONFIG_FILE
    described = json.loads(path.read_text())
    inner = described["config"]
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(described))
    with pytest.raises(ContractError, match=r"not the settings|another version"):
        load_adapter(folder, base)
    path.write_text(json.dumps({**described, "version": 99}))
    with pytest.raises(ContractError, match="another record or version"):
        load_adapter(folder, base)
