"""Losses of a whole batch against loops over its tokens, and batches in which much is not known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from situated_cases import Scene
from tiny_vlms import CASES, FAMILY_CASES, IMAGE_ID
from torch import Tensor
from torch.distributions import Normal

from vantage.core.errors import ContractError
from vantage.models.patch_geometry import BatchGeometry, PatchGrid
from vantage.models.situated import SituatedConfig
from vantage.models.situated.targets import visual_points

NAN = math.nan


def brute_points(scene: Scene, geometry: BatchGeometry) -> tuple[np.ndarray, np.ndarray]:
    """Token by token, patch by patch; which patches is proven by pixels in test_injection_order."""
    members = scene.situated.family.token_members(scene.model, scene.inputs).tolist()
    points, known = np.zeros((len(members), 3)), np.zeros(len(members), dtype=bool)
    for token, patches in enumerate(members):
        own = [geometry.xyz[p].double().numpy() for p in patches if p >= 0 and geometry.valid[p]]
        if own:
            points[token], known[token] = np.mean(own, axis=0), True
    return points, known


def brute_layout(scene: Scene, hidden: Tensor, geometry: BatchGeometry) -> float:
    """The published sum of each sample over its tokens with a point, and the mean of the samples."""
    points, known = brute_points(scene, geometry)
    rows = (scene.inputs["input_ids"] == IMAGE_ID).nonzero().tolist()
    means = []
    for sample in range(len(scene.images)):
        terms = []
        for (row, column), point, valid in zip(rows, points, known, strict=True):
            if row == sample and valid:
                x, y, u, v = scene.situated.heads.layout(hidden[row, column]).double().tolist()
                dx, dy = x - point[0], y - point[1]
                terms.append((dx**2 / math.exp(u) + u + dy**2 / math.exp(v) + v) / 2)
        if terms:
            means.append(sum(terms) / len(terms))
    return sum(means) / len(means)


@pytest.mark.parametrize("name", list(CASES))
def test_visual_tokens_have_the_mean_point_of_their_valid_patches(name: str) -> None:
    scene = Scene(name)
    geometry = scene.case.random_geometry()
    holes = geometry.with_xyz(torch.where(geometry.valid[:, None], geometry.xyz, NAN))
    expected, known = brute_points(scene, geometry)
    for given in (geometry, holes):
        points, valid = visual_points(scene.situated.family, scene.model, given, scene.inputs)
        assert valid.tolist() == known.tolist()
        np.testing.assert_allclose(points[valid].numpy(), expected[known], atol=1e-5)
    assert 0 < known.sum() < len(known)
    tiled = scene.case.pixels.get("image_sizes")
    if tiled is not None:  # as many row ends as rows of tiled images, and one for each other image
        members = scene.situated.family.token_members(scene.model, scene.inputs)
        assert int((members < 0).all(1).sum()) >= len(tiled)


@pytest.mark.parametrize("name", list(CASES))
@torch.no_grad()
def test_the_losses_are_those_of_loops_over_samples_and_tokens(name: str) -> None:
    scene = Scene(name)
    hidden, geometry, places = scene.hidden(), scene.case.random_geometry(), scene.places()
    losses = scene.situated.losses(hidden, scene.inputs, geometry, places)
    assert float(losses["layout"]) == pytest.approx(brute_layout(scene, hidden, geometry), rel=1e-4, abs=1e-5)
    ids, position, orientation = scene.inputs["input_ids"].tolist(), [], []
    for row, place in enumerate(places):
        column = ids[row].index(scene.tokens.pos)
        mean, log_variance = scene.situated.heads.position(hidden[row, column]).split(2)
        density = Normal(mean, (log_variance / 2).exp()).log_prob(place[:2]).sum() + math.log(2 * math.pi)
        position.append(-float(density))
        logits = scene.situated.heads.orientation(hidden[row, column + 1]).double().numpy()
        centres = np.deg2rad(np.arange(-175, 180, 10))
        off = np.angle(np.exp(1j * (float(place[2]) - centres)))
        target = np.exp(-0.5 * (off / math.radians(10)) ** 2)
        target /= target.sum()
        found = np.exp(logits - logits.max())
        some = target > 1e-300
        terms = target[some] * np.log(target[some] / (found / found.sum())[some])
        orientation.append(terms.sum())
    assert float(losses["position"]) == pytest.approx(np.mean(position), rel=1e-4, abs=1e-5)
    assert float(losses["orientation"]) == pytest.approx(np.mean(orientation), rel=1e-4, abs=1e-5)
    expected = 0.05 * losses["layout"] + 0.075 * (losses["position"] + 3.5 * losses["orientation"])
    assert float(scene.situated.weighted(losses)) == pytest.approx(float(expected), rel=1e-6)


def test_the_weights_are_those_of_the_configuration() -> None:
    config = SituatedConfig(
        layout_weight=2.0, situation_weight=3.0, orientation_weight=5.0, head_width=8, camera_drop=0.0
    )
    scene = Scene("llava", config=config)
    one = {
        name: torch.tensor(value)
        for name, value in (("layout", 1.0), ("position", 10.0), ("orientation", 100.0))
    }
    assert float(scene.situated.weighted(one)) == 2 * 1 + 3 * (10 + 5 * 100)


def partly(geometry: BatchGeometry, scene: Scene, sample: int) -> BatchGeometry:
    """Nothing known of one sample's pictures."""
    gone = geometry.sample_of_patch() == sample
    xyz = torch.where(gone[:, None], NAN, geometry.xyz)
    return replace(geometry, xyz=xyz, valid=geometry.valid & ~gone)


def gradients(scene: Scene, geometry: BatchGeometry | None, places: Tensor) -> tuple[dict[str, Tensor], Any]:
    """Losses, and the gradient of their sum at the hidden states and the recipe's tensors."""
    hidden = scene.hidden().detach().requires_grad_()
    losses = scene.situated.losses(hidden, scene.inputs, geometry, places)
    own = list(scene.situated.heads.parameters())
    grads = torch.autograd.grad(scene.situated.weighted(losses), [hidden, *own])
    return losses, grads


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_sample_of_which_nothing_is_known_counts_for_nothing(name: str) -> None:
    scene = Scene(name)
    full, places = scene.case.random_geometry(), scene.places()
    geometry = partly(full, scene, 1)
    places[1] = NAN
    losses, (at_hidden, *at_heads) = gradients(scene, geometry, places)
    hidden = scene.hidden().detach()
    assert float(losses["layout"]) == pytest.approx(brute_layout(scene, hidden, geometry), rel=1e-4, abs=1e-5)
    assert all(bool(grad.isfinite().all()) for grad in (at_hidden, *at_heads))
    assert (at_hidden[1] == 0).all()
    assert (at_hidden[0] != 0).any()
    # What the other one is given does not matter.
    other = gradients(scene, geometry, torch.stack([places[0], torch.full((3,), NAN)]))
    assert all(torch.equal(losses[key], other[0][key]) for key in losses)


@pytest.mark.parametrize("name", FAMILY_CASES)
def test_a_batch_of_which_nothing_is_known_has_no_loss_and_a_gradient_of_zero(name: str) -> None:
    scene = Scene(name)
    nowhere = torch.full((len(scene.images), 3), NAN)
    absent = BatchGeometry.of([[[PatchGrid.absent(*g) for g in im] for im in s] for s in scene.case.samples])
    for geometry in (None, absent):
        losses, grads = gradients(scene, geometry, nowhere)
        assert {key: float(loss) for key, loss in losses.items()} == dict.fromkeys(losses, 0.0)
        assert all((grad == 0).all() for grad in grads)


def test_a_place_without_a_yaw_and_a_yaw_without_a_place_count_for_what_they_are() -> None:
    scene = Scene("llava")
    places = scene.places()
    whole = scene.losses(places=places)
    no_yaw, no_place = places.clone(), places.clone()
    no_yaw[:, 2] = NAN
    no_place[:, 0] = NAN
    assert torch.equal(scene.losses(places=no_yaw)["position"], whole["position"])
    assert scene.losses(places=no_yaw)["orientation"] == 0
    assert torch.equal(scene.losses(places=no_place)["orientation"], whole["orientation"])
    assert scene.losses(places=no_place)["position"] == 0


@torch.no_grad()
def test_moving_the_room_and_what_is_read_of_it_changes_no_loss() -> None:
    scene = Scene("internvl")
    geometry, places = scene.case.random_geometry(), scene.places()
    before = scene.losses(geometry=geometry, places=places)
    by, turn = torch.tensor([3.0, -2.0, 7.0]), 5
    heads = scene.situated.heads
    heads.layout.bias[:2] += by[:2]
    heads.position[2].bias[:2] += by[:2]
    for parameter in heads.orientation[2].parameters():
        parameter.copy_(parameter.roll(turn, dims=0))
    moved = places + torch.tensor([3.0, -2.0, math.radians(10 * turn)])
    after = scene.losses(geometry=geometry.with_xyz(geometry.xyz + by), places=moved)
    for key in before:
        assert float(after[key]) == pytest.approx(float(before[key]), rel=1e-4), key


def test_a_geometry_in_another_frame_or_of_other_pictures_is_refused() -> None:
    scene = Scene("llava")
    geometry = scene.case.random_geometry()
    with pytest.raises(ContractError, match="wrong frame"):
        scene.losses(geometry=replace(geometry, frame="aligned"))
    with pytest.raises(ContractError, match="do not fit the views"):
        scene.losses(geometry=replace(geometry, grids=((2, 8), *geometry.grids[1:])))
    with pytest.raises(ContractError, match="different images"):
        scene.losses(geometry=replace(geometry, samples=geometry.samples[::-1]))


@torch.no_grad()
def test_what_is_read_is_what_the_heads_say_with_its_frame_and_its_doubts() -> None:
    scene = Scene("llava", config=SituatedConfig("aligned", head_width=8, camera_drop=0.0))
    heads = scene.situated.heads
    for parameter in (*heads.position[2].parameters(), *heads.orientation[2].parameters()):
        parameter.zero_()
    heads.position[2].bias.copy_(torch.tensor([1.5, -0.5, 2 * math.log(0.25), -80.0]))
    heads.orientation[2].bias[20] = 50.0
    read = scene.situated.read(scene.hidden(), scene.inputs["input_ids"])
    assert len(read) == 2
    for place in read:
        assert (place.x, place.y, place.frame, place.ambiguous) == (1.5, -0.5, "aligned", False)
        assert place.sigma_x == pytest.approx(0.25)
        assert place.sigma_y == pytest.approx(math.exp(-3.5))
        assert place.yaw == pytest.approx(math.radians(25))
        assert place.resultant == pytest.approx(1)
    heads.orientation[2].bias[2] = 50.0  # the opposite
    doubt = scene.situated.read(scene.hidden(), scene.inputs["input_ids"])[0]
    assert doubt.ambiguous
    assert doubt.resultant < 1e-6
