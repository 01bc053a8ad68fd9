"""The 3D position embedding in bfloat16: exact when zero, and each point at its own token."""

from __future__ import annotations

from typing import get_args

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("annotated_types", reason="no annotated-types, which the encoders' configuration needs")

import torch
from tiny_vlms import CASES, Case, still
from watched_sites import Watch, alone, bare, chosen, moved

from vantage.models.encoders import EncoderConfig, fresh_encoder
from vantage.models.encoders.config import Kind, Normalisation
from vantage.models.families import Site
from vantage.models.families.order import Pictures
from vantage.models.injector import InjectionConfig, Injector

FAMILIES = ("llava", "qwen2_5_vl", "smolvlm")
KINDS: tuple[Kind, ...] = ("sinusoid", "mlp", "sinusoid_mlp", "voxel_index", "pose_point")


def case_on(name: str, device: str) -> Case:
    return CASES[name]().to(torch.device(device), torch.bfloat16)


def configured(kind: Kind) -> EncoderConfig:
    return EncoderConfig(kind, "voxel" if kind == "voxel_index" else "metres")


@torch.no_grad()
def logits(case: Case) -> torch.Tensor:
    return case.model(**case.inputs).logits


@pytest.mark.parametrize("site", get_args(Site))
@pytest.mark.parametrize("name", FAMILIES)
def test_zero_is_bit_for_bit_nothing_in_bfloat16(name: str, site: Site, device: str) -> None:
    case = case_on(name, device)
    plain = logits(case)
    assert plain.dtype == torch.bfloat16 and plain.device.type == device
    assert torch.equal(logits(case), plain), "the model itself is not the same twice"
    for kind in KINDS:
        config = configured(kind)
        injector = Injector.fresh(case.model, InjectionConfig(site, encoder=config), seed=1)
        geometry = case.random_geometry(beside=config.beside)
        with injector.bind(geometry):
            assert torch.equal(logits(case), plain), kind
        with torch.no_grad():
            for parameter in injector.encoder.parameters():
                parameter.normal_(std=0.3)
        with injector.bind(geometry):
            assert not torch.allclose(logits(case), plain, atol=1e-2), kind
    assert torch.equal(logits(case), plain)


@pytest.mark.parametrize("site", get_args(Site))
@pytest.mark.parametrize("name", FAMILIES)
def test_a_point_reaches_exactly_its_patchs_token(name: str, site: Site, device: str) -> None:
    """The oracle is the model: a patch's pixels move the same decoder inputs as its point."""
    case = case_on(name, device)
    still(case.model)
    watch = Watch(bare(case.model, site))
    nowhere = case.geometry(lambda *_: (0.0, 0.0, 0.0))
    site_before, decoder_before = watch.run(case, case.pixels, nowhere)
    for place in chosen(case, seed=1):
        by_pixels = watch.run(case, case.touch(case.pixels, *place), nowhere)[1]
        by_point = watch.run(case, case.pixels, case.geometry(alone(place)))
        assert len(moved(site_before, by_point[0])) == 1, place
        tokens = moved(decoder_before, by_point[1])
        assert tokens and tokens == moved(decoder_before, by_pixels), place


@pytest.mark.parametrize(
    ("kind", "normalisation"),
    [
        ("sinusoid_mlp", "metres"), ("sinusoid_mlp", "scene_centred"), ("sinusoid_mlp", "box_unit"),
        ("sinusoid", "n3d"), ("mlp", "voxel"), ("voxel_index", "voxel"), ("pose_point", "box_unit"),
        ("pose_view", "metres"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl"])
def test_rows_and_gradients_are_those_of_a_cpu_in_float32(
    name: str, kind: Kind, normalisation: Normalisation, device: str
) -> None:
    """Also in a bfloat16 model: the encoder keeps its precision."""
    config = EncoderConfig(kind, normalisation)
    found = {}
    for where in ("cpu", device):
        case = CASES[name]().to(torch.device(where), torch.bfloat16 if where == device else torch.float32)
        width = case.model.config.vision_config.hidden_size
        encoder = fresh_encoder(config, width, seed=3)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
        injector = Injector(case.model, InjectionConfig("pre_vit", encoder=config), encoder.to(where))
        geometry = case.random_geometry(beside=config.beside)
        rows = injector.embedding(geometry.to(torch.device(where)), Pictures.whole(geometry.grids))
        assert rows.dtype == torch.float32
        rows.square().sum().backward()
        found[where] = [
            rows.detach().cpu(),
            *(p.grad.cpu() for p in encoder.parameters() if p.grad is not None),
        ]
    for mine, theirs in zip(found[device], found["cpu"], strict=True):
        assert (mine - theirs).abs().max() <= 1e-4 * max(1.0, float(theirs.abs().max()))
