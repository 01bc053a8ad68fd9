"""Questions on the same views: the tower computes each picture once, and no bit of an answer tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from asked_vlms import preparer, requests
from tiny_vlms import FAMILY_CASES

from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.patch_geometry import PatchGrid
from vantage.models.prompts import Preparer
from vantage.models.vlm.generate import Decoding, Generator
from vantage.models.vlm.request import Generated, Request
from vantage.models.vlm.tower_once import TowerOnce

WORDS = ("where", "is", "the", "chair", "from here", "answer", "briefly")


def asked_of_one_set(maker: Preparer) -> list[Request]:
    """Four questions on the same two views, one on the second view and another, one on views of its own."""
    _, two, three, *_ = requests(maker.family.placeholder)
    same = [replace(two, id=f"s{k}", text=f"{two.text} {word}") for k, word in enumerate(WORDS[:4])]
    half = replace(two, id="half", views=(two.views[1], three.views[0]), sizes=(two.sizes[1], three.sizes[0]))
    return [*same, half, three]


def with_points(maker: Preparer, asked: list[Request]) -> list[Request]:
    """A point for every patch; the same view has the same points, but for the last question on it."""
    located = []
    for number, request in enumerate(asked):
        grids = maker.show([[view.image() for view in request.views]]).samples[0]
        views = []
        for view, own in zip(request.views, grids, strict=True):
            rng = np.random.default_rng(len(view.name) + sum(map(ord, view.name)) + (number == 3))
            points = [torch.from_numpy(rng.normal(size=(*grid, 3)).astype(np.float32)) for grid in own]
            known = [torch.ones(xyz.shape[:2], dtype=torch.bool) for xyz in points]
            pictures = tuple(map(PatchGrid, points, known))
            views.append(replace(view, pictures=pictures))
        located.append(replace(request, views=tuple(views)))
    return located


def answers(generator: Generator, asked: list[Request]) -> list[Generated]:
    found = {one.id: one for batch in generator.answers(asked) for one in batch}
    return [found[request.id] for request in asked]  # type: ignore[misc]


@contextmanager
def never(_once: TowerOnce) -> Iterator[None]:
    yield


@pytest.mark.parametrize("site", [None, "post_vit", "post_projector", "pre_vit"])
@pytest.mark.parametrize("name", FAMILY_CASES)
def test_answers_and_margins_have_the_same_bits(
    name: str, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, injector = preparer(name), None
    asked = asked_of_one_set(maker)
    if site is not None:
        injector = Injector.fresh(
            maker.model, InjectionConfig(site, encoder=EncoderConfig("mlp", "metres", 16)), 0
        )
        with torch.no_grad():
            for parameter in injector.encoder.parameters():
                parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
        asked = with_points(maker, asked)
    generator = Generator(maker, Decoding(8, token_budget=10**6), injector)
    shared = answers(generator, asked)
    if site == "pre_vit":
        assert generator.tower.asked == 0, "pictures with points are not pixels alone"
    else:
        pictures = [len(grids) for grids in maker.show([[v.image() for v in r.views] for r in asked]).samples]
        assert generator.tower.asked > generator.tower.computed > 0 and len(pictures) == 6
    with monkeypatch.context() as patch:
        patch.setattr(TowerOnce, "serve", never)
        plain = answers(generator, asked)
    assert [one.tokens for one in shared] == [one.tokens for one in plain]
    assert [one.margins for one in shared] == [one.margins for one in plain], "bit for bit"
    assert len({one.margins for one in shared}) > 3, "questions differ"


@pytest.mark.parametrize("name", ["llava", "qwen2_5_vl", "idefics3"])
def test_the_tower_sees_each_picture_once(name: str) -> None:
    maker = preparer(name)
    generator = Generator(maker, Decoding(2, token_budget=10**6))
    asked = asked_of_one_set(maker)
    rows: list[int] = []
    tower: Any = generator.tower.calls.tower
    inner = tower.forward

    def counted(*args: Any, **kwargs: Any) -> Any:
        named = kwargs.get(generator.tower.calls.pixels, args[0] if args else None)
        rows.append(len(named))
        return inner(*args, **kwargs)

    tower.forward = counted
    (few,) = {len(rows) for _ in [answers(generator, asked[:1])]}
    alone, _ = rows[0], rows.clear()
    answers(generator, asked[:4])
    assert few == 1 and rows == [alone], "four questions on the same views cost the tower no more than one"


def test_a_tower_that_is_given_more_than_pictures_is_left_alone() -> None:
    maker = preparer("llava")
    once = TowerOnce(maker.family, maker.model, None)
    tower: Any = once.calls.tower
    given: list[Any] = []
    tower.forward = lambda *args, **kwargs: given.append((args, kwargs))
    with once.serve():
        tower(torch.zeros(2, 3, 8, 8), lights=torch.zeros(2))
    assert once.asked == 0 and list(given[0][1]) == ["lights"]
