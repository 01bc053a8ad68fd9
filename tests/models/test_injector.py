"""What holds for an injection in every family: exact when zero, once per pass, refused where it misfits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from tiny_vlms import CASES, FAMILY_CASES, IMAGE_ID, Case
from torch import nn

from vantage.core.errors import ContractError, ParameterError, VantageError
from vantage.models.encoders import EncoderConfig
from vantage.models.families import FAMILIES, Site, family_of
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import BatchGeometry, PatchGrid

SITES: tuple[Site, ...] = get_args(Site)


def woken(case: Case, site: Site) -> Injector:
    """With parameters that are no longer zero."""
    injector = Injector.fresh(case.model, InjectionConfig(site), seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in injector.encoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return injector


def logits(case: Case) -> torch.Tensor:
    with torch.no_grad():
        out: torch.Tensor = case.model(**case.inputs).logits
    return out


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", list(CASES))
def test_zero_is_bit_for_bit_nothing_and_anything_else_is_something(name: str, site: Site) -> None:
    case = CASES[name]()
    geometry, plain = case.random_geometry(), logits(case)
    for kind in ("sinusoid", "mlp", "sinusoid_mlp", "pose_point", "pose_view"):
        config = EncoderConfig(kind)  # type: ignore[arg-type]
        fresh = Injector.fresh(case.model, InjectionConfig(site, encoder=config), seed=1)
        with fresh.bind(case.random_geometry(beside=config.beside)):
            assert torch.equal(logits(case), plain), kind
    injector = woken(case, site)
    with injector.bind(geometry):
        assert not torch.allclose(logits(case), plain, atol=1e-3)
    assert torch.equal(logits(case), plain)
    with injector.bind(None):
        assert torch.equal(logits(case), plain)


@pytest.mark.parametrize("name", list(CASES))
def test_the_pictures_foreseen_from_the_inputs_are_those_that_the_tower_is_shown(name: str) -> None:
    case, seen = CASES[name](), []
    family = family_of(case.model)
    tower = family.tower(case.model)
    handle = tower.register_forward_pre_hook(
        lambda _m, args, kwargs: seen.append(family.shown(case.model, args, kwargs)), with_kwargs=True
    )
    logits(case)
    handle.remove()
    assert seen == [family.expected(case.model, case.inputs)]
    assert list(seen[0].grids) == case.grids


@pytest.mark.parametrize("name", list(CASES))
def test_too_few_too_many_or_turned_grids_are_refused_and_nothing_is_left_behind(name: str) -> None:
    case = CASES[name]()
    injector, plain = woken(case, "post_vit"), logits(case)
    full = case.geometry(lambda *_: (1.0, 2.0, 3.0))
    rows, columns = full.grids[-1]
    last = rows * columns

    def fewer() -> BatchGeometry:
        images = (*full.images[:-1], full.images[-1] - 1) if full.images[-1] > 1 else full.images[:-1]
        samples = full.samples if full.images[-1] > 1 else (*full.samples[:-1], full.samples[-1] - 1)
        return BatchGeometry(full.xyz[:-last], full.valid[:-last], full.grids[:-1], images, samples)

    one = BatchGeometry.of([[[PatchGrid(torch.zeros(1, last, 3), torch.ones(1, last, dtype=torch.bool))]]])
    more = BatchGeometry(
        torch.cat([full.xyz, full.xyz[:last]]), torch.cat([full.valid, full.valid[:last]]),
        (*full.grids, full.grids[-1]), (*full.images, 1), (*full.samples[:-1], full.samples[-1] + 1),
    )  # fmt: skip
    reversed_grids = replace(full, grids=full.grids[::-1])
    wrong = [one, more]
    if len(full.grids) > 1:
        wrong.append(fewer())
    if reversed_grids.grids != full.grids:
        wrong.append(reversed_grids)
    for geometry in wrong:
        with pytest.raises(ContractError, match="do not fit the views"), injector.bind(geometry):
            logits(case)
        assert torch.equal(logits(case), plain)
        assert not case.model._forward_pre_hooks


@pytest.mark.parametrize("name", ["llava", "internvl", "qwen3_vl", "smolvlm"])
def test_images_given_to_the_wrong_sample_are_refused(name: str) -> None:
    case = CASES[name]()
    injector, full = woken(case, "pre_vit"), case.random_geometry()
    swapped = replace(full, samples=full.samples[::-1])
    with pytest.raises(ContractError, match="tell of different images"), injector.bind(swapped):
        logits(case)
    joined = replace(full, samples=(sum(full.samples),))
    with pytest.raises(ContractError, match="do not fit the batch"), injector.bind(joined):
        logits(case)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_generation_sums_once_at_the_prompt(name: str, site: Site) -> None:
    case = CASES[name]()
    injector, geometry = woken(case, site), case.random_geometry()
    words = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None, "suppress_tokens": [IMAGE_ID]}
    steps = 1 if name == "paligemma" else 4  # its prompt sees itself both ways, the words made do not
    with torch.no_grad():
        with injector.bind(geometry):
            made = case.model.generate(
                **case.inputs, **words, output_logits=True, return_dict_in_generate=True
            )
        text = dict(case.text)
        for step in range(steps):
            # The same by hand: a whole forward for every word.
            with injector.bind(geometry):
                scores = case.model(**text, **case.pixels).logits[:, -1]
            assert torch.allclose(made.logits[step], scores, atol=1e-4)
            word = made.sequences[:, step - 4, None]
            more = {"input_ids": word, "attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 1}
            for key in text:
                column = torch.zeros_like(text[key][:, :1]) + more[key]
                text[key] = torch.cat([text[key], column], dim=1)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_beams_share_the_geometry_of_their_prompt_or_are_refused(name: str) -> None:
    case = CASES[name]()
    injector, geometry = woken(case, "post_vit"), case.random_geometry()
    asked = {"max_new_tokens": 1, "do_sample": False, "eos_token_id": None, "suppress_tokens": [IMAGE_ID]}
    with torch.no_grad():
        with injector.bind(geometry):
            alone = case.model.generate(**case.inputs, **asked)
        try:
            with injector.bind(geometry):
                beams = case.model.generate(**case.inputs, **asked, num_beams=2)
        except ContractError:  # until some release before 5.23 the tower was shown the pictures of every beam
            beams = alone
    assert torch.equal(alone, beams)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_gradients_are_those_without_checkpointing_and_reach_exactly_what_is_trained(
    name: str, site: Site
) -> None:
    grads = []
    for reentrant in (None, False, True):
        case = CASES[name]()
        model, injector = case.model, woken(case, site)
        model.requires_grad_(False)
        projectors = injector.family.projectors(model)
        for projector in projectors.values():
            projector.requires_grad_(True)
        if reentrant is not None:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        model.train()
        labels = case.text["input_ids"].masked_fill(case.text["input_ids"] == IMAGE_ID, -100)
        with injector.bind(case.random_geometry()):
            model(**case.inputs, labels=labels, use_cache=False).loss.backward()
        own = dict(injector.encoder.named_parameters())
        own |= {f"{p}.{n}": v for p, m in projectors.items() for n, v in m.named_parameters()}
        assert all(v.grad is not None and bool(v.grad.abs().sum() > 0) for v in own.values()), own.keys()
        trained = {id(v) for v in own.values()}
        assert all(p.grad is None for p in model.parameters() if id(p) not in trained)
        grads.append({n: v.grad for n, v in own.items()})
    for other in grads[1:]:
        assert all(torch.allclose(grads[0][n], g, rtol=1e-4, atol=1e-6) for n, g in other.items())


def test_qwen3s_deepstack_mergers_belong_to_the_projector() -> None:
    case = CASES["qwen3_vl"]()
    assert list(family_of(case.model).projectors(case.model)) == ["projector", "deepstack.0", "deepstack.1"]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_model_in_bfloat16_gets_an_embedding_computed_in_float32(name: str, site: Site) -> None:
    case = CASES[name]()
    injector, geometry = woken(case, site), case.random_geometry()
    before = [p.clone() for p in injector.encoder.parameters()]
    case.model.bfloat16()
    injector.encoder.bfloat16()
    assert all(torch.equal(a, b) for a, b in zip(before, injector.encoder.parameters(), strict=True))
    seen: list[torch.Tensor] = []
    injector.encoder.register_forward_hook(lambda _m, _a, out: seen.append(out))
    plain = logits(case)
    with injector.bind(geometry):
        found = logits(case)
    assert seen[0].dtype == torch.float32
    assert found.dtype == torch.bfloat16
    assert bool(found.isfinite().all())
    assert not torch.equal(found, plain)
    fresh = Injector.fresh(case.model, injector.config, seed=1)
    with fresh.bind(geometry):
        assert torch.equal(logits(case), plain)


def test_features_computed_before_bypass_the_site_and_that_is_an_error() -> None:
    case = CASES["llava"]()
    injector = woken(case, "pre_vit")
    with torch.no_grad():
        features = case.model.model.get_image_features(pixel_values=case.pixels["pixel_values"])
        with pytest.raises(VantageError, match="exactly once"), injector.bind(case.random_geometry()):
            case.model(**case.text, mm_encoder_outputs={"image": features})


def test_a_second_pass_in_one_binding_and_a_binding_in_a_binding_are_errors() -> None:
    case = CASES["llava"]()
    injector, geometry, plain = woken(case, "post_vit"), case.random_geometry(), logits(case)
    after_the_second = []
    with pytest.raises(VantageError, match="exactly once"), injector.bind(geometry):
        logits(case)
        after_the_second.append(logits(case))
    assert not after_the_second, "no wrong numbers are handed out"
    with pytest.raises(VantageError, match="already bound"), injector.bind(geometry), injector.bind(geometry):
        pass
    with pytest.raises(RuntimeError, match="the user's own"), injector.bind(geometry):
        raise RuntimeError("the user's own")
    assert torch.equal(logits(case), plain)
    with injector.bind(geometry):
        assert not torch.equal(logits(case), plain)


def test_two_models_can_be_bound_at_once() -> None:
    one, two = CASES["llava"](), CASES["internvl"]()
    first, second = woken(one, "post_vit"), woken(two, "pre_vit")
    with first.bind(one.random_geometry()):
        alone = logits(one)
    with first.bind(one.random_geometry()), second.bind(two.random_geometry()):
        logits(two)
        assert torch.equal(logits(one), alone)


def test_coordinates_in_another_frame_are_refused() -> None:
    case = CASES["llava"]()
    geometry = replace(case.random_geometry(), frame="aligned")
    with pytest.raises(ContractError, match="wrong frame"), woken(case, "post_vit").bind(geometry):
        logits(case)


def test_a_picture_without_any_point_gets_the_null_vector() -> None:
    case = CASES["qwen2_5_vl"]()
    injector = woken(case, "pre_vit")
    absent = BatchGeometry.of([[[PatchGrid.absent(*g) for g in im] for im in s] for s in case.samples])
    rows = injector.embedding(absent, injector.family.expected(case.model, case.inputs))
    assert torch.equal(rows, injector.encoder.null.expand_as(rows))
    with injector.bind(absent):
        logits(case)


@pytest.mark.parametrize("name", ["idefics3", "smolvlm"])
def test_padding_inside_a_picture_gets_nothing_not_even_the_null_vector(name: str) -> None:
    case = CASES[name]()
    for site, edge in (("pre_vit", 1), ("post_projector", 2)):
        injector = woken(case, site)  # type: ignore[arg-type]
        pictures = injector.family.expected(case.model, case.inputs)
        rows = injector.embedding(case.random_geometry(), pictures)
        rows = rows.reshape(4, 4 // edge, 4 // edge, -1)
        for number, (tall, wide) in enumerate(case.grids):
            inside = torch.zeros(4 // edge, 4 // edge, dtype=torch.bool)
            inside[: -(-tall // edge), : -(-wide // edge)] = True
            assert torch.equal(rows[number].abs().amax(-1) > 0, inside)


def test_an_encoder_of_another_width_is_refused() -> None:
    case = CASES["llava"]()
    encoder = EncoderConfig("mlp").build(99)
    with pytest.raises(ContractError, match="does not fit the site"):
        Injector(case.model, InjectionConfig("pre_vit", encoder=EncoderConfig("mlp")), encoder)


def test_an_unknown_family_is_told_which_there_are() -> None:
    class Config:
        model_type = "florence2"

    class Other(nn.Module):
        config = Config()

    with pytest.raises(ParameterError, match="florence2") as caught:
        family_of(Other())
    assert all(name in str(caught.value) for name in FAMILIES.names())


def test_another_package_adds_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foveal.py").write_text(
        "from vantage.models.families import Family\n\n\n"
        'class Foveal(Family):\n    name = "foveal"\n\n\nFOVEAL = Foveal()\n'
    )
    (tmp_path / "foveal-1.0.dist-info").mkdir()
    (tmp_path / "foveal-1.0.dist-info" / "METADATA").write_text("Name: foveal\nVersion: 1.0\n")
    (tmp_path / "foveal-1.0.dist-info" / "entry_points.txt").write_text(
        "[vantage.vlm_families]\nfoveal = foveal:FOVEAL\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    # The names are looked up once in a process; they are asked for again here.
    monkeypatch.delitem(FAMILIES.__dict__, "_plugins", raising=False)
    case = CASES["llava"]()
    case.model.config.model_type = "foveal"
    geometry, plain = case.random_geometry(), logits(case)
    injector = Injector.fresh(case.model, InjectionConfig("pre_vit"), seed=0)
    assert injector.family.name == "foveal"
    with injector.bind(geometry):
        assert torch.equal(logits(case), plain)
    FAMILIES.__dict__.pop("_plugins")


def test_every_family_of_the_table_has_a_case() -> None:
    assert {family_of(CASES[name]().model).name for name in FAMILY_CASES} == set(FAMILIES.names())


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_model_that_is_built_otherwise_is_refused(name: str) -> None:
    case = CASES[name]()

    class Doubled(nn.Module):
        def __init__(self, model: Any) -> None:
            super().__init__()
            self.config, self.one, self.two = model.config, model, model.model

    inner = Doubled(case.model)
    inner.two = CASES[name]().model
    with pytest.raises(ContractError, match="exactly one module"):
        Injector.fresh(inner, InjectionConfig("pre_vit"), seed=0)
