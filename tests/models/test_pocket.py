from __future__ import annotations

import numpy as np
import torch

from vantage.models.pocket import PocketShape, build, pixels
from vantage.models.tokens import PAD_ID, VOCABULARY_SIZE


def test_it_is_made_of_the_librarys_own_parts_and_has_about_2_4_million_parameters() -> None:
    model = build()
    names = {type(m).__name__ for m in (model, model.model.vision_tower, model.model.language_model)}
    assert names == {"LlavaForConditionalGeneration", "SiglipVisionModel", "Qwen2Model"}
    assert 2.2e6 < sum(p.numel() for p in model.parameters()) < 2.6e6


def test_word_vectors_are_orthonormal_and_padding_is_zero() -> None:
    table = build().model.language_model.embed_tokens.weight.detach()
    gram = table @ table.T
    expected = torch.eye(VOCABULARY_SIZE)
    expected[PAD_ID, PAD_ID] = 0
    assert torch.allclose(gram, expected, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_and_torchs_own_generator_is_left_alone() -> None:
    small = PocketShape(layers=1, vision_layers=1)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    a, b, c = build(small, 5), build(small, 5), build(small, 6)
    assert torch.equal(torch.get_rng_state(), before)
    pairs = list(zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    assert all(torch.equal(x, y) for x, y in pairs)
    assert not torch.equal(
        a.model.language_model.layers[0].mlp.up_proj.weight,
        c.model.language_model.layers[0].mlp.up_proj.weight,
    )


def test_pixels_are_channels_first_between_minus_one_and_one() -> None:
    image = np.zeros((2, 64, 64, 3), np.uint8)
    image[1, 3, 5] = (255, 0, 51)
    tensor = pixels(image)
    assert tensor.shape == (2, 3, 64, 64)
    assert torch.allclose(tensor[1, :, 3, 5], torch.tensor([1.0, -1.0, 51 / 127.5 - 1.0]))
