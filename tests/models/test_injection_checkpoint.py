"""A trained injection on disk: equal outputs after loading, and refused where it does not belong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_vlms import CASES, FAMILY_CASES, Case

from vantage.core.errors import ContractError
from vantage.models.encoders import EncoderConfig
from vantage.models.families import Site
from vantage.models.injection_checkpoint import CONFIG_FILE, WEIGHTS_FILE, load_injection, save_injection
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.loading.load import BaseIdentity, LoadedBase

IDENTITY = BaseIdentity("someone/some-vlm", "main", "llava", "0" * 64)


def trained(case: Case, config: InjectionConfig) -> Injector:
    """One step of training of embedding and projector."""
    injector = Injector.fresh(case.model, config, seed=1)
    case.model.requires_grad_(False)
    parts = [injector.encoder, *injector.family.projectors(case.model).values()]
    parameters = [p.requires_grad_(True) for part in parts for p in part.parameters()]
    optimiser = torch.optim.SGD(parameters, lr=0.5)
    for _ in range(2):  # the first step moves the encoder's last layer alone
        with injector.bind(case.random_geometry(beside=config.encoder.beside)):
            case.model(**case.inputs).logits.pow(2).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return injector


def answers(injector: Injector, case: Case) -> torch.Tensor:
    geometry = case.random_geometry(beside=injector.config.encoder.beside)
    with torch.no_grad(), injector.bind(geometry):
        out: torch.Tensor = case.model(**case.inputs).logits
    return out


ENCODERS = (EncoderConfig("mlp", "scene_centred", 16), EncoderConfig("pose_point", "box_unit", 16))


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda e: e.kind)
@pytest.mark.parametrize("site", get_args(Site))
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_outputs_are_equal_after_loading_into_the_base(
    name: str, site: Site, encoder: EncoderConfig, tmp_path: Path
) -> None:
    case, config = CASES[name](), InjectionConfig(site, encoder=encoder)
    injector = trained(case, config)
    found = answers(injector, case)
    save_injection(tmp_path, injector, IDENTITY)
    again = CASES[name]()
    loaded = load_injection(tmp_path, LoadedBase(again.model, tmp_path, IDENTITY), config)
    assert torch.equal(answers(loaded, again), found)
    untrained = CASES[name]()
    assert not torch.equal(answers(Injector.fresh(untrained.model, config, 1), untrained), found)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Case, Path]:
    case = CASES["llava"]()
    save_injection(tmp_path, trained(case, InjectionConfig("post_vit")), IDENTITY)
    return case, tmp_path


def test_it_says_what_it_belongs_to_and_nothing_of_this_machine(saved: tuple[Case, Path]) -> None:
    value = json.loads((saved[1] / CONFIG_FILE).read_text())
    assert (value["family"], value["site"], value["frame"], value["unit"]) == (
        "llava", "post_vit", "ego_level", "m",
    )  # fmt: skip
    assert value["base"]["base"] == "someone/some-vlm"
    assert value["encoder"]["normalisation"] == "metres"
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
    saved: tuple[Case, Path], expected: InjectionConfig, message: str
) -> None:
    case, folder = saved
    with pytest.raises(ContractError, match=message):
        load_injection(folder, LoadedBase(case.model, folder, IDENTITY), expected)


def test_another_base_or_family_is_refused(saved: tuple[Case, Path]) -> None:
    case, folder = saved
    other = replace(IDENTITY, fingerprint="1" * 64)
    with pytest.raises(ContractError, match="another base"):
        load_injection(folder, LoadedBase(case.model, folder, other))
    # PaliGemma's widths are LLaVA's here: only the family's name tells them apart.
    with pytest.raises(ContractError, match="another family"):
        load_injection(folder, LoadedBase(CASES["paligemma"]().model, folder, IDENTITY))


def test_weights_that_are_missing_unknown_misshaped_or_damaged_are_refused(saved: tuple[Case, Path]) -> None:
    case, folder = saved
    base, path = LoadedBase(case.model, folder, IDENTITY), folder / WEIGHTS_FILE
    good = load_file(path)
    for change in (
        {k: v for k, v in good.items() if k != "position_encoder.null"},
        {**good, "projector.linear_3.bias": torch.zeros(2)},
        {**good, "position_encoder.null": torch.zeros(3)},
    ):
        save_file(change, path)
        with pytest.raises(ContractError, match="does not fit the model"):
            load_injection(folder, base)
    save_file(good, path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ContractError, match="damaged"):
        load_injection(folder, base)
    path.unlink()
    with pytest.raises(ContractError, match="missing"):
        load_injection(folder, base)


def test_a_pose_encoder_is_refused_where_another_kind_is_computed_with_and_the_reverse(
    saved: tuple[Case, Path], tmp_path: Path
) -> None:
    case, bare = saved
    kinds = ("pose_point", "pose_view")
    for kind in kinds:
        config = InjectionConfig("post_vit", "aligned", EncoderConfig(kind))  # type: ignore[arg-type]
        folder = tmp_path / kind
        save_injection(folder, Injector.fresh(case.model, config, seed=1), IDENTITY)
        base = LoadedBase(case.model, folder, IDENTITY)
        assert load_injection(folder, base, config).encoder.numbers == config.encoder.numbers
        assert json.loads((folder / CONFIG_FILE).read_text())["encoder"]["kind"] == kind
        for other in (*kinds, "sinusoid_mlp"):
            if other != kind:
                encoder = EncoderConfig(other)  # type: ignore[arg-type]
                with pytest.raises(ContractError, match=f"kind {other}"):
                    load_injection(folder, base, replace(config, encoder=encoder))
        with pytest.raises(ContractError, match=f"kind {kind}"):
            load_injection(bare, base, replace(config, frame="ego_level"))


@pytest.mark.parametrize(
    ("key", "value"),
    [("site", "mid_vit"), ("frame", "lunar"), ("kind", "fourier"), ("normalisation", "inches"), ("new", 1)],
)
def test_a_description_that_is_not_understood_is_refused(
    saved: tuple[Case, Path], key: str, value: object
) -> None:
    case, folder = saved
    path = folder / CONFIG_FILE
    described = json.loads(path.read_text())
    (described if key in ("site", "frame") else described["encoder"])[key] = value
    path.write_text(json.dumps(described))
    with pytest.raises(ContractError, match=r"unknown|not the settings"):
        load_injection(folder, LoadedBase(case.model, folder, IDENTITY))
    path.write_text(json.dumps({**described, "version": 99}))
    with pytest.raises(ContractError, match="another record or version"):
        load_injection(folder, LoadedBase(case.model, folder, IDENTITY))
