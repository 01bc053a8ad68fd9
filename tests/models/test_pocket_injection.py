"""The pocket model goes through the LLaVA family like any other."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import nn
from transformers import LlavaForConditionalGeneration

from vantage.core.errors import VantageError
from vantage.models.families import Site
from vantage.models.injector import Injector
from vantage.models.pocket import bound, fresh_injector, view_tokens

SITES: tuple[Site, ...] = get_args(Site)


def views(n: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, n, 3, 64, 64, generator=generator) * 2 - 1
    xyz = torch.randn(1, n, 64, 3, generator=generator) * 3
    valid = torch.rand(1, n, 64, generator=generator) < 0.8
    return images, xyz, valid


def woken(injector: Injector) -> Injector:
    """With a last layer and a null vector that are no longer zero."""
    last = list(injector.encoder.modules())[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        nn.init.normal_(last.weight, generator=torch.Generator().manual_seed(2))
        injector.encoder.null.fill_(0.5)
    return injector


@pytest.mark.parametrize("site", SITES)
def test_a_fresh_encoder_leaves_the_model_bit_for_bit_as_it_was(
    model: LlavaForConditionalGeneration, site: Site
) -> None:
    images, xyz, valid = views()
    injector = fresh_injector(model, site, seed=1)
    with torch.no_grad():
        plain = view_tokens(model, images)
        with bound(injector, xyz, valid):
            assert torch.equal(plain, view_tokens(model, images))
        with bound(woken(injector), xyz, valid):
            assert not torch.allclose(plain, view_tokens(model, images), atol=1e-3)
        # Nothing stays behind.
        assert torch.equal(plain, view_tokens(model, images))


@pytest.mark.parametrize("site", SITES)
def test_the_sum_is_taken_at_the_named_site(model: LlavaForConditionalGeneration, site: Site) -> None:
    images, xyz, valid = views()
    injector = woken(fresh_injector(model, site, seed=1))
    embedding = injector.encoder(xyz, valid)
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    with torch.no_grad():
        with bound(injector, xyz, valid):
            found = view_tokens(model, images)[0]
        flat = images[0]
        if site == "pre_vit":
            hidden = tower.embeddings(flat) + embedding[0]
            for layer in tower.encoder.layers:
                hidden = layer(hidden, attention_mask=None)
            expected = projector(hidden)
        else:
            hidden = tower(flat, output_hidden_states=True).hidden_states[-1]
            expected = (
                projector(hidden + embedding[0]) if site == "post_vit" else projector(hidden) + embedding[0]
            )
    assert torch.allclose(found, expected.reshape(found.shape), atol=1e-5)


def test_features_of_the_frozen_tower_can_be_kept(model: LlavaForConditionalGeneration) -> None:
    images, xyz, valid = views()
    injector = woken(fresh_injector(model, "post_vit", seed=1))
    with torch.no_grad():
        with bound(injector, xyz, valid):
            whole = view_tokens(model, images)
        features = model.model.vision_tower(images[0], output_hidden_states=True).hidden_states[-1]
        with bound(injector, xyz, valid):
            kept = model.model.multi_modal_projector(features)
    assert torch.equal(whole[0], kept.flatten(0, 1))


def test_coordinates_of_too_few_views_are_refused_instead_of_broadcast(
    model: LlavaForConditionalGeneration,
) -> None:
    images, xyz, valid = views(2)
    injector = fresh_injector(model, "post_vit", 0)
    with (
        pytest.raises(VantageError, match="do not fit the views"),
        bound(injector, xyz[:, :1], valid[:, :1]),
    ):
        view_tokens(model, images)
    view_tokens(model, images)


def test_an_unused_embedding_is_an_error(model: LlavaForConditionalGeneration) -> None:
    _, xyz, valid = views()
    injector = fresh_injector(model, "post_vit", 0)
    with pytest.raises(VantageError, match="exactly once"), bound(injector, xyz, valid):
        pass
