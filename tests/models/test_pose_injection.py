"""A pose and points summed into every family: who is reached by a point, who by a pose, what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from test_injection_order import Watch, chosen, moved
from tiny_vlms import CASES, FAMILY_CASES, Case, Inputs, still
from torch import Tensor

from vantage.core.errors import ContractError
from vantage.models.encoders import EncoderConfig
from vantage.models.encoders.config import Kind
from vantage.models.families import Site
from vantage.models.injector import InjectionConfig, Injector, group_means
from vantage.models.patch_geometry import BatchGeometry

SITES: tuple[Site, ...] = get_args(Site)
POSES: tuple[Kind, ...] = ("pose_point", "pose_view")


def woken(case: Case, site: Site, kind: Kind) -> Injector:
    """With parameters that are no longer zero."""
    injector = Injector.fresh(case.model, InjectionConfig(site, encoder=EncoderConfig(kind)), seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in injector.encoder.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return injector


def of_poses(case: Case, kind: Kind, seed: int = 0) -> BatchGeometry:
    """Every patch valid; `pose_point`: a pose for each sample; `pose_view`: numbers of each patch."""
    geometry = case.random_geometry(seed)
    beside = EncoderConfig(kind).beside
    generator = torch.Generator().manual_seed(seed + 1)
    if kind == "pose_point":
        rows = torch.randn(len(geometry.samples), beside, generator=generator)[geometry.sample_of_patch()]
    else:
        rows = torch.randn(len(geometry.xyz), beside, generator=generator)
    return replace(geometry, valid=torch.ones_like(geometry.valid), beside=rows)


def touched(case: Case, patches: list[tuple[int, int, int]]) -> Inputs:
    """The pixels with several patches changed, which lie apart."""
    plain = case.pixels["pixel_values"]
    values = plain.clone()
    for place in patches:
        values += case.touch(case.pixels, *place)["pixel_values"] - plain
    return {**case.pixels, "pixel_values": values}


def places(case: Case) -> list[tuple[int, int, int]]:
    """Picture, row and column of all patches, in order."""
    return [(n, r, c) for n, grid in enumerate(case.grids) for r in range(grid[0]) for c in range(grid[1])]


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", list(CASES))
def test_a_point_beside_its_pose_reaches_exactly_its_patchs_token(name: str, site: Site) -> None:
    case = CASES[name]()
    still(case.model)
    for kind in POSES:
        watch, before = Watch(woken(case, site, kind)), of_poses(case, kind)
        site_before, decoder_before = watch.run(case, case.pixels, before)
        assert before.beside is not None
        for place in chosen(case, seed=len(name))[:5]:
            number = places(case).index(place)
            xyz, beside = before.xyz.clone(), before.beside.clone()
            (xyz if kind == "pose_point" else beside)[number, :3] += 3.0
            after = replace(before, xyz=xyz, beside=beside)
            by_point, by_pixels = watch.run(case, case.pixels, after), case.touch(case.pixels, *place)
            assert len(moved(site_before, by_point[0])) == 1, (kind, place)
            tokens = moved(decoder_before, watch.run(case, by_pixels, before)[1])
            assert moved(decoder_before, by_point[1]) == tokens, (kind, place)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", list(CASES))
def test_another_pose_moves_all_tokens_of_its_sample_and_no_other(name: str, site: Site) -> None:
    """All that pixels of the sample's patches move, and nothing else: separators between tiles stay."""
    case = CASES[name]()
    still(case.model)
    geometry = of_poses(case, "pose_point")
    owner = geometry.sample_of_patch()
    for sample in range(len(case.samples)):
        own = [place for place, of in zip(places(case), owner.tolist(), strict=True) if of == sample]
        for kind in POSES:
            watch, before = Watch(woken(case, site, kind)), of_poses(case, kind)
            assert before.beside is not None
            shift = torch.where(owner[:, None] == sample, torch.tensor(0.7), 0.0)
            after = replace(before, beside=before.beside + shift)
            rows, tokens = watch.run(case, case.pixels, before)
            by_pose = watch.run(case, case.pixels, after)
            by_pixels = watch.run(case, touched(case, own), before)
            found = moved(tokens, by_pose[1])
            assert found == moved(tokens, by_pixels[1]), kind
            assert {row for row, _ in found} == {sample}
            if site != "post_projector":
                assert moved(rows, by_pose[0]) == moved(rows, by_pixels[0]), kind


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_token_is_given_the_mean_of_all_numbers_of_the_same_patches(name: str) -> None:
    """Numbers beside that are linear in the points stay so: they were averaged over the same patches."""
    case = CASES[name]()
    mixing = torch.randn(3, 9, generator=torch.Generator().manual_seed(5))
    plain = case.random_geometry()
    geometry = replace(plain, xyz=torch.where(plain.valid[:, None], plain.xyz, torch.nan))
    geometry = replace(geometry, beside=geometry.xyz @ mixing)
    seen: list[tuple[Tensor, Tensor]] = []
    for kind, numbers in (("pose_point", 9), ("pose_view", 6)):
        injector = woken(case, "post_projector", kind)  # type: ignore[arg-type]
        injector.encoder.register_forward_hook(lambda _m, given, _out: seen.append(given))
        with torch.no_grad(), injector.bind(replace(geometry, beside=geometry.xyz @ mixing[:, :numbers])):
            case.model(**case.inputs)
    (point, valid), (view, same) = seen
    assert torch.equal(valid, same)
    assert int(valid.sum()) > 0
    assert torch.allclose(point[valid, :9], point[valid, 9:] @ mixing, atol=1e-4)
    assert torch.allclose(view[valid], point[valid, 9:] @ mixing[:, :6], atol=1e-4)


def test_a_group_takes_the_mean_of_its_valid_members_patch_by_patch() -> None:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(20, 12, generator=generator)
    valid = torch.rand(20, generator=generator) < 0.6
    numbers[~valid] = torch.nan
    members = torch.randint(-1, 20, (9, 4), generator=generator)
    members[0] = -1
    found, some = group_means(numbers, valid, members)
    for row, group in enumerate(members.tolist()):
        own = [numbers[k] for k in group if k >= 0 and valid[k]]
        assert bool(some[row]) == bool(own)
        if own:
            assert torch.allclose(found[row], torch.stack(own).mean(0), atol=1e-6)


@pytest.mark.parametrize("site", SITES)
def test_numbers_that_are_missing_of_another_kind_or_not_read_are_refused(site: Site) -> None:
    case = CASES["qwen2_5_vl"]()
    with torch.no_grad():
        plain = case.model(**case.inputs).logits
        for kind in (*POSES, "mlp"):
            injector = woken(case, site, kind)  # type: ignore[arg-type]
            for beside in (0, 6, 9, 12):
                geometry = case.random_geometry(beside=beside)
                if beside == injector.config.encoder.beside:
                    with injector.bind(geometry):
                        assert not torch.equal(case.model(**case.inputs).logits, plain)
                    continue
                with (
                    pytest.raises(ContractError, match="not those that the encoder reads") as caught,
                    injector.bind(geometry),
                ):
                    case.model(**case.inputs)
                assert caught.value.where == f"encoder {kind}"
                assert torch.equal(case.model(**case.inputs).logits, plain)


def test_where_no_patch_has_a_point_the_null_vector_needs_no_pose() -> None:
    case = CASES["internvl"]()
    bare = case.random_geometry()
    nothing = replace(bare, valid=torch.zeros_like(bare.valid))
    for kind in POSES:
        injector = woken(case, "pre_vit", kind)
        with torch.no_grad(), injector.bind(nothing):
            case.model(**case.inputs)
        rows = injector.embedding(nothing, injector.family.expected(case.model, case.inputs))
        assert torch.equal(rows, injector.encoder.null.expand_as(rows))


def test_an_encoder_of_another_kind_than_configured_is_refused() -> None:
    case = CASES["llava"]()
    encoder = EncoderConfig("pose_view").build(24)
    with pytest.raises(ContractError, match="not of the configured kind"):
        Injector(case.model, InjectionConfig("pre_vit", encoder=EncoderConfig("pose_point")), encoder)


@pytest.mark.parametrize("kind", POSES)
def test_a_model_in_bfloat16_gets_a_pose_embedded_in_float32(kind: Kind) -> None:
    case = CASES["qwen3_vl"]()
    injector, geometry = woken(case, "pre_vit", kind), of_poses(case, kind)
    family = injector.family
    before = injector.embedding(geometry, family.expected(case.model, case.inputs))
    case.model.bfloat16()
    injector.encoder.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        after = injector.embedding(geometry, family.expected(case.model, case.inputs))
    assert after.dtype == torch.float32
    assert torch.equal(before, after)
    with torch.no_grad(), injector.bind(geometry):
        assert bool(case.model(**case.inputs).logits.isfinite().all())
