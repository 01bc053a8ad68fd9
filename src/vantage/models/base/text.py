"""Stage `text`: the decoder learns to answer from scenes written in word vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from vantage.models.base.symbolic import SymbolicScenes
from vantage.models.packing import answer_logits, pack
from vantage.models.pocket import PATCHES, VIEWS
from vantage.questions.words import COLORS, WORD_IDS

GEOMETRIC = ("direction", "distance", "nearest")
"""Families that need quadrant and distance words (an object in view 1 has its direction from the image
alone)."""


@dataclass(frozen=True)
class TextBatch:
    """Symbolic scenes ready for the decoder: prefix, its positions and padding, questions and answers."""

    prefix: Tensor
    positions: Int64[Tensor, "b p"]
    valid: Bool[Tensor, "b p"]
    questions: list[list[list[int]]]
    answer: Int64[Tensor, "n"]
    family: Int64[Tensor, "n"]


def text_batch(
    model: LlavaForConditionalGeneration,
    scenes: SymbolicScenes,
    rows: Int64[np.ndarray, "b"],
    rng: np.random.Generator,
    families: Sequence[str],
    *,
    plain_share: float = 0.2,
    most: int = 24,
) -> TextBatch:
    """Draw a batch: colours are permuted anew for each scene, `plain_share` of the scenes have no
    geometry words and are then asked nothing that needs them."""
    geometric = np.array([name in GEOMETRIC for name in families])
    longest = int((scenes.position[rows] >= 0).sum(1).max())
    swap = np.stack([_swap_colors(rng) for _ in rows])
    plain = rng.random(len(rows)) < plain_share
    scene = np.arange(len(rows))[:, None]
    words = swap[scene[..., None], scenes.words[rows, :longest]]
    lean = scenes.lean[rows, :longest]
    weight = np.ones(words.shape, np.float32)
    weight[..., 4], weight[..., 5] = 1.0 - lean, lean
    weight[plain, :, 3:] = 0.0
    table = model.model.language_model.embed_tokens.weight
    prefix = (table[torch.from_numpy(words)] * torch.from_numpy(weight)[..., None]).sum(-2)
    position = scenes.position[rows, :longest]
    family, first = scenes.family[rows], scenes.first_only[rows]
    ask = (family >= 0) & ~(
        plain[:, None] & geometric[family] & ~(first & (family == families.index("direction")))
    )
    questions, chosen = [], np.zeros_like(ask)
    for b in range(len(rows)):
        picks = np.flatnonzero(ask[b])
        picks = np.sort(rng.permutation(picks)[:most])
        chosen[b, picks] = True
        ids = swap[b][scenes.questions[rows[b], picks]]
        questions.append([[i for i in line if i] for line in ids.tolist()])
    answer = np.take_along_axis(swap, scenes.answer[rows], axis=1)
    return TextBatch(
        prefix,
        torch.from_numpy(np.maximum(position, 0)),
        torch.from_numpy(position >= 0),
        questions,
        torch.from_numpy(answer[chosen]),
        torch.from_numpy(family[chosen]),
    )


def text_logits(model: LlavaForConditionalGeneration, batch: TextBatch) -> Tensor:
    """Logits of every question of the batch, in order; questions stand where they do behind four real
    views."""
    return answer_logits(
        model, batch.prefix, pack(batch.questions), batch.positions, batch.valid, restart=VIEWS * PATCHES
    )


def _swap_colors(rng: np.random.Generator) -> Int64[np.ndarray, "v"]:
    ids = np.array([WORD_IDS[color] for color in COLORS])
    table = np.arange(len(WORD_IDS))
    table[ids] = rng.permutation(ids)
    return table
