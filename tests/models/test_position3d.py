from __future__ import annotations

from typing import get_args

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from vantage.core.errors import VantageError
from vantage.models.pocket import view_tokens
from vantage.models.position3d import PositionEncoder3D, Site, fresh_encoder, inject

SITES: tuple[Site, ...] = get_args(Site)


def views(n: int = 2) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(1, n, 3, 64, 64, generator=generator) * 2 - 1
    xyz = torch.randn(1, n, 64, 3, generator=generator) * 3
    valid = torch.rand(1, n, 64, generator=generator) < 0.8
    return images, xyz, valid


def woken(encoder: PositionEncoder3D) -> PositionEncoder3D:
    """With a last layer and a null vector that are no longer zero."""
    with torch.no_grad():
        torch.nn.init.normal_(encoder.mlp[-1].weight, generator=torch.Generator().manual_seed(2))
        encoder.null.fill_(0.5)
    return encoder


@pytest.mark.parametrize("site", SITES)
def test_a_fresh_encoder_leaves_the_model_bit_for_bit_as_it_was(
    model: LlavaForConditionalGeneration, site: Site
) -> None:
    images, xyz, valid = views()
    encoder = fresh_encoder(model, site, seed=1)
    with torch.no_grad():
        plain = view_tokens(model, images)
        with inject(model, site, encoder(xyz, valid)):
            injected = view_tokens(model, images)
        assert torch.equal(plain, injected)
        with inject(model, site, woken(encoder)(xyz, valid)):
            assert not torch.allclose(plain, view_tokens(model, images), atol=1e-3)
        # Nothing stays behind.
        assert torch.equal(plain, view_tokens(model, images))


@pytest.mark.parametrize("site", SITES)
def test_the_sum_is_taken_at_the_named_site(model: LlavaForConditionalGeneration, site: Site) -> None:
    images, xyz, valid = views()
    encoder = woken(fresh_encoder(model, site, seed=1))
    embedding = encoder(xyz, valid)
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    with torch.no_grad():
        with inject(model, site, embedding):
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


def test_an_invalid_patch_gets_the_null_vector_and_its_coordinates_never_matter() -> None:
    encoder = woken(PositionEncoder3D(8))
    xyz = torch.tensor([[1.0, 2.0, 3.0], [float("nan"), float("inf"), 0.0], [9.0, 9.0, 9.0]])
    out = encoder(xyz, torch.tensor([True, False, False]))
    assert torch.equal(out[1], encoder.null)
    assert torch.equal(out[2], encoder.null)
    out.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in encoder.parameters() if p.grad is not None)


def test_the_embedding_is_float32_under_autocast() -> None:
    encoder = woken(PositionEncoder3D(8))
    xyz, valid = torch.rand(5, 3) * 6, torch.ones(5, dtype=torch.bool)
    plain = encoder(xyz, valid)
    with torch.autocast("cpu", torch.bfloat16):
        cast = encoder(xyz, valid)
    assert cast.dtype == torch.float32
    assert torch.equal(plain, cast)


def test_coordinates_of_too_few_views_are_refused_instead_of_broadcast(
    model: LlavaForConditionalGeneration,
) -> None:
    images, xyz, valid = views(2)
    embedding = fresh_encoder(model, "post_vit", 0)(xyz[:, :1], valid[:, :1])
    with pytest.raises(VantageError, match="do not fit the views"), inject(model, "post_vit", embedding):
        view_tokens(model, images)
    view_tokens(model, images)


def test_an_unused_embedding_is_an_error(model: LlavaForConditionalGeneration) -> None:
    _, xyz, valid = views()
    embedding = fresh_encoder(model, "post_vit", 0)(xyz, valid)
    with pytest.raises(VantageError, match="exactly once"), inject(model, "post_vit", embedding):
        pass
