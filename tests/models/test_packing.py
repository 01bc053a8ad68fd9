"""Packing is an optimisation: it may change nothing. The oracle is the library's own forward pass, one
question at a time, with neither packing nor a mask of ours."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlavaForConditionalGeneration

from vantage.models.packing import answer_logits, attention_mask, pack
from vantage.models.pocket import prefix_positions, view_tokens
from vantage.models.tokens import IMAGE_ID, question_ids

QUESTIONS = ["is there a red chair?", "where is the blue table from me?", "how many boxes are there?"]


def one_by_one(model: LlavaForConditionalGeneration, images: torch.Tensor, text: str) -> torch.Tensor:
    ids = torch.tensor([[IMAGE_ID] * (64 * len(images)) + list(question_ids(text))])
    logits: torch.Tensor = model(input_ids=ids, pixel_values=images).logits[0, -1]
    return logits


def test_packed_questions_get_the_logits_of_the_plain_model(model: LlavaForConditionalGeneration) -> None:
    images = torch.rand(2, 3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    scenes = [QUESTIONS, QUESTIONS[:1]]
    packed = pack([[question_ids(q) for q in questions] for questions in scenes])
    with torch.no_grad():
        prefix = view_tokens(model, images)
        together = answer_logits(model, prefix, packed, prefix_positions(2, prefix.shape[1]))
        alone = [one_by_one(model, images[k], q) for k, questions in enumerate(scenes) for q in questions]
    assert together.shape[0] == 4
    assert torch.allclose(together, torch.stack(alone), atol=1e-4)
    # The comparison could not tell were all answers alike.
    assert (together[0] - together[1]).abs().max() > 1e-2


def test_a_padded_prefix_changes_nothing(model: LlavaForConditionalGeneration) -> None:
    generator = torch.Generator().manual_seed(1)
    prefix = torch.randn(1, 9, 96, generator=generator)
    packed = pack([[question_ids(q) for q in QUESTIONS]])
    longer = torch.cat([prefix, torch.full((1, 4, 96), 7.0)], dim=1)
    valid = torch.arange(13)[None] < 9
    positions = torch.arange(13)[None]
    with torch.no_grad():
        plain = answer_logits(model, prefix, packed, positions[:, :9], restart=40)
        padded = answer_logits(model, longer, packed, positions, valid, restart=40)
    assert torch.allclose(plain, padded, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 6))
def test_a_word_sees_the_prefix_and_its_own_questions_past(lengths: list[int], prefix: int) -> None:
    packed = pack([[[7] * n for n in lengths]])
    mask = attention_mask(torch.ones(1, prefix, dtype=torch.bool), packed.slot)[0, 0]
    owner = [-1] * prefix + [k for k, n in enumerate(lengths) for _ in range(n)]
    for row in range(len(owner)):
        for column in range(len(owner)):
            sees = column <= row and (owner[column] == -1 or owner[column] == owner[row])
            assert bool(mask[row, column]) == sees
