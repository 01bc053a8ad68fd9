"""What the situation's tokens can see, and that places and layouts are learned beside a frozen model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from situated_cases import Scene
from tiny_vlms import FAMILY_CASES
from torch import Tensor

from vantage.models.patch_geometry import BatchGeometry
from vantage.models.situated.tokens import situation_columns

CAUSAL = [name for name in FAMILY_CASES if name != "paligemma"]
QUESTIONS = ((50, 51, 52), (53,)), ((54, 55, 56, 57, 58), (59, 60))


@torch.no_grad()
def at_situation(scene: Scene, seed: int = 0, suffix: bool = False) -> Tensor:
    """Hidden states at `<Pos>` and `<Ori>` of every sample; `suffix`: the question is not of the prefix."""
    inputs = scene.inputs
    columns = situation_columns(inputs["input_ids"], scene.tokens)
    if suffix:
        after = torch.arange(inputs["input_ids"].shape[1]) > columns[:, None] + 1
        inputs["token_type_ids"] = after.long()
    with scene.situated.bind(scene.cameras(seed)):
        hidden: Tensor = scene.model.model(**inputs).last_hidden_state
    rows = torch.arange(len(columns))
    return torch.stack([hidden[rows, columns], hidden[rows, columns + 1]])


@pytest.mark.parametrize("name", CAUSAL)
def test_the_situations_tokens_see_views_cameras_and_situation_but_not_the_question(name: str) -> None:
    scene = Scene(name)
    first = at_situation(scene)
    for questions in QUESTIONS:
        assert torch.allclose(at_situation(Scene(name, questions=questions)), first, atol=1e-5)
    for sample, situations in enumerate([((30, 39), (32, 33, 34)), ((30, 31), (39, 33, 34))]):
        if sample < len(scene.images):
            moved = (at_situation(Scene(name, situations=situations)) - first).abs().amax(-1) > 1e-3
            assert moved[:, sample].all(), "its own situation"
            assert not moved[:, 1 - sample].any(), "nobody else's"
    assert ((at_situation(scene, seed=5) - first).abs().amax(-1) > 1e-4).all()
    other = Scene(name)
    other.case.pixels = other.case.touch(other.case.pixels, 0, 1, 1)
    moved = (at_situation(other) - first).abs().amax(-1) > 1e-5
    assert moved[:, 0].all()
    assert not moved[:, 1:].any()


def test_paligemmas_tokens_see_the_question_unless_it_is_marked_as_suffix() -> None:
    scene, other = Scene("paligemma"), Scene("paligemma", questions=((50, 51, 52), (53,)))
    assert ((at_situation(scene) - at_situation(other)).abs().amax(-1) > 1e-3).all()
    assert torch.allclose(at_situation(scene, suffix=True), at_situation(other, suffix=True), atol=1e-5)


def room(scene: Scene) -> BatchGeometry:
    """A wall for each picture: its columns along y, its rows upwards, some patches without a point."""
    plain = scene.case.geometry(lambda n, r, c: (1.0 + 0.5 * n, 0.3 * c - 0.5, 2.0 - 0.2 * r))
    valid = plain.valid.clone()
    valid[::7] = False
    return BatchGeometry(plain.xyz, valid, plain.grids, plain.images, plain.samples)


STEPS = 180
PLACES: Sequence[tuple[float, float, float]] = [
    (0.5, -0.6, 0.1), (-0.8, 0.2, 3.1), (0.1, 0.8, -1.7), (0.9, 0.4, -3.0),
]  # fmt: skip


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_handful_of_places_and_layouts_is_learned_beside_a_frozen_model(name: str) -> None:
    scenes = [Scene(name), Scene(name)]
    scenes[1].situations = ((35, 36, 37), (38, 39))
    scenes[1].model, scenes[1].situated = scenes[0].model, scenes[0].situated
    model, situated = scenes[0].model.requires_grad_(False).train(), scenes[0].situated
    frozen = {n: p.clone() for n, p in model.named_parameters()}
    fresh = {n: p.detach().clone() for n, p in situated.named_parameters()}
    cameras, geometry = scenes[0].cameras(), room(scenes[0])
    cameras.numbers[0] = 0.0
    places = torch.tensor(PLACES).reshape(2, 2, 3)[:, : len(scenes[0].images)]
    optimiser = torch.optim.Adam(situated.parameters(), lr=1e-2)
    decay = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, total_iters=STEPS)
    history: list[dict[str, float]] = []
    for step in range(STEPS):
        optimiser.zero_grad()
        scene, own = scenes[step % 2], places[step % 2]
        losses = situated.losses(scene.hidden(cameras, step), scene.inputs, geometry, own)
        situated.weighted(losses).backward()
        torch.nn.utils.clip_grad_norm_(situated.parameters(), 5.0)
        optimiser.step()
        decay.step()
        history.append({key: float(loss.detach()) for key, loss in losses.items()})
    for last in history[-2:]:  # one of each scene
        assert last["position"] < -3.0
        assert last["orientation"] < 0.02
        assert last["layout"] < min(-1.0, history[0]["layout"] - 3)
    for scene, own in zip(scenes, places, strict=True):
        for place, (x, y, yaw) in zip(
            situated.read(scene.hidden(cameras), scene.inputs["input_ids"]), own.tolist(), strict=True
        ):
            # A decimetre off, or it says itself that it does not know.
            assert abs(place.x - x) < max(0.1, 2 * place.sigma_x)
            assert abs(place.y - y) < max(0.1, 2 * place.sigma_y)
            assert abs(math.remainder(place.yaw - yaw, 2 * math.pi)) < math.radians(3)
            assert not place.ambiguous
    assert all(torch.equal(p, frozen[n]) for n, p in model.named_parameters())
    assert [n for n, p in situated.named_parameters() if torch.equal(p, fresh[n])] == []
