"""A geometry placed on one patch reaches exactly that patch's token, in every family and at every site.

The oracle is the model itself: change the pixels of one patch, with a tower whose blocks add nothing, and see
which rows at the site and which of the decoder's inputs move. Change the coordinates of that patch instead,
and the same ones must.
"""

from __future__ import annotations

import random
from typing import Any, get_args

import pytest
import torch
from tiny_vlms import CASES, IMAGE_ID, still
from torch import Tensor
from transformers.vision_utils import get_vision_window_index
from watched_sites import Watch, alone, bare, chosen, moved

from vantage.core.errors import ContractError
from vantage.models.families import Site, family_of
from vantage.models.families.order import window_order
from vantage.models.patch_geometry import BatchGeometry

SITES: tuple[Site, ...] = get_args(Site)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", list(CASES))
def test_a_point_on_one_patch_reaches_exactly_that_patchs_token(name: str, site: Site) -> None:
    case = CASES[name]()
    still(case.model)
    watch = Watch(bare(case.model, site))
    nowhere = case.geometry(lambda *_: (0.0, 0.0, 0.0))
    site_before, decoder_before = watch.run(case, case.pixels, nowhere)
    for place in chosen(case, seed=len(name)):
        by_pixels = watch.run(case, case.touch(case.pixels, *place), nowhere)
        by_point = watch.run(case, case.pixels, case.geometry(alone(place)))
        rows = moved(site_before, by_point[0])
        assert len(rows) == 1, f"{place} moves {rows}"
        if site != "post_projector":
            assert rows == moved(site_before, by_pixels[0]), place
        tokens = moved(decoder_before, by_point[1])
        assert tokens == moved(decoder_before, by_pixels[1]), place
        assert tokens or "onevision" in name, "only there patches of padding are cut off"


# Where tiles are shrunk the model averages tokens once more, after the site.
@pytest.mark.parametrize("name", [n for n in CASES if n not in ("llava_clip", "llava_onevision_shrunk")])
def test_a_tokens_point_is_the_mean_of_the_valid_patches_it_is_made_of(name: str) -> None:
    case = CASES[name]()
    still(case.model)
    injector = bare(case.model, "post_projector")
    watch = Watch(injector)
    geometry = case.random_geometry()
    nowhere = case.geometry(lambda *_: (0.0, 0.0, 0.0))
    _, plain = watch.run(case, case.pixels, nowhere)
    found = watch.run(case, case.pixels, geometry)[1] - plain
    # Which token every patch goes to, by touching its pixels.
    members: dict[tuple[int, ...], list[int]] = {}
    places = [(n, r, c) for n, grid in enumerate(case.grids) for r in range(grid[0]) for c in range(grid[1])]
    for number, place in enumerate(places):
        for token in moved(plain, watch.run(case, case.touch(case.pixels, *place), nowhere)[1]):
            members.setdefault(token, []).append(number)
    expected = torch.zeros_like(found)
    for token, patches in members.items():
        valid = [geometry.xyz[p] for p in patches if geometry.valid[p]]
        if valid:
            expected[token] = injector.encoder.embed(torch.stack(valid).mean(0))
    scale = found.abs().max() / expected.abs().max() if name == "paligemma" else 1.0
    assert torch.allclose(found, expected * scale, atol=1e-4)


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("name", ["llava", "paligemma"])
def test_towers_that_interpolate_take_pictures_that_are_not_square(name: str, site: Site) -> None:
    model = still(CASES[name]().model)
    injector, pixels = bare(model, site), torch.randn(2, 3, 8, 20)
    plain = BatchGeometry.uniform(torch.zeros(1, 2, 10, 3), torch.ones(1, 2, 10, dtype=torch.bool), (2, 5))

    @torch.no_grad()
    def tokens(values: Tensor, geometry: BatchGeometry) -> Tensor:
        with injector.bind(geometry):
            out = model.get_image_features(pixel_values=values, interpolate_pos_encoding=True).pooler_output
        return torch.stack(list(out)) if isinstance(out, list) else out

    before = tokens(pixels, plain)
    for picture, row, column in ((0, 0, 4), (1, 1, 2), (1, 0, 0)):
        touched = pixels.clone()
        touched[picture, :, row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] += 1.0
        xyz = torch.zeros(2, 2, 5, 3)
        xyz[picture, row, column] = torch.tensor([5.0, -3.0, 4.0])
        point = tokens(pixels, plain.with_xyz(xyz.reshape(-1, 3)))
        assert moved(before, point) == moved(before, tokens(touched, plain)) == {(picture, row * 5 + column)}
    turned = BatchGeometry(plain.xyz, plain.valid, ((5, 2),) * 2, plain.images, plain.samples)
    with pytest.raises(ContractError, match="do not fit the views"):
        tokens(pixels, turned)


@pytest.mark.parametrize("grid", [(2, 2), (5, 3), (4, 7), (9, 8)])
def test_windows_are_those_of_the_model(grid: tuple[int, int]) -> None:
    theirs, _ = get_vision_window_index(torch.tensor([[1, grid[0] * 2, grid[1] * 2]]), 2, 112, 14)
    assert torch.equal(window_order(*grid, 4), theirs)


def test_a_point_before_block_0_reaches_every_deepstack_layer() -> None:
    case = CASES["qwen3_vl"]()
    still(case.model)
    injector, place = bare(case.model, "pre_vit"), (1, 3, 2)
    seen: list[Tensor] = []

    def keep(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        seen.append(torch.stack([*kwargs["deepstack_visual_embeds"]]).clone())

    handle = case.model.get_decoder().register_forward_pre_hook(keep, with_kwargs=True)
    with torch.no_grad():
        for fill in (alone((99, 0, 0)), alone(place)):
            with injector.bind(case.geometry(fill)):
                case.model(**case.inputs)
        case.model(**case.text, **case.touch(case.pixels, *place))
        case.model(**case.inputs)
    handle.remove()
    before, by_point, by_pixels, plain = seen
    assert torch.equal(before, plain)
    assert len(before) == 2
    assert {layer for layer, _ in moved(before, by_point)} == {0, 1}
    assert moved(before, by_point) == moved(before, by_pixels)


@pytest.mark.parametrize("name", list(CASES))
def test_a_placeholders_token_is_made_of_the_patches_whose_pixels_move_it(name: str) -> None:
    case = CASES[name]()
    still(case.model)
    watch, nowhere = Watch(bare(case.model, "post_projector")), case.geometry(lambda *_: (0.0, 0.0, 0.0))
    members = family_of(case.model).token_members(case.model, case.inputs)
    places = [tuple(place) for place in (case.text["input_ids"] == IMAGE_ID).nonzero().tolist()]
    assert len(members) == len(places)
    before = watch.run(case, case.pixels, nowhere)[1]
    patches = [(n, r, c) for n, grid in enumerate(case.grids) for r in range(grid[0]) for c in range(grid[1])]
    # All of those that lie in several tokens or in none; a few of the others, which every picture has.
    odd = {i for i in range(len(patches)) if int((members == i).sum()) != 1}
    for number in sorted(odd | set(random.Random(0).sample(range(len(patches)), 30))):
        after = watch.run(case, case.touch(case.pixels, *patches[number]), nowhere)[1]
        claimed = (members == number).any(1).nonzero().flatten().tolist()
        assert moved(before, after) == {places[row] for row in claimed}, patches[number]
