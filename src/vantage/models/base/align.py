"""Stage `align`: tower and projector learn to say, in word vectors, what each patch shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from vantage.models.base.rendered import RenderedRooms, degrade
from vantage.models.pocket import GRID, pixels
from vantage.questions.words import CLASSES, SIDES, STRUCTURE, WORD_IDS

_COLUMNS = np.arange(GRID * GRID) % GRID
SIDE_WORDS = np.where(_COLUMNS < GRID // 2, WORD_IDS[SIDES[0]], WORD_IDS[SIDES[1]]).astype(np.int64)
"""Every patch also says which half of its image it lies in."""


_SHARPNESS = 6.0
_CLASS_IDS = torch.tensor([WORD_IDS[word] for word in (*CLASSES, *STRUCTURE)])
_CLASS_ROW = torch.zeros(len(WORD_IDS), dtype=torch.long)
_CLASS_ROW[_CLASS_IDS] = torch.arange(len(_CLASS_IDS))


@dataclass(frozen=True)
class PatchBatch:
    """Pictures and the words of their patches (tint 0 where there is no colour)."""

    images: UInt8[np.ndarray, "n 64 64 3"]
    label: Int64[np.ndarray, "n 64"]
    tint: Int64[np.ndarray, "n 64"]


def patch_batch(rooms: RenderedRooms, rng: np.random.Generator, size: int) -> PatchBatch:
    """Draw views of any rooms, degraded as a camera does; half of them mirrored."""
    room = rng.integers(0, len(rooms.number), size)
    view = rng.integers(0, rooms.color.shape[1], size)
    color = rooms.color[room, view]
    label = rooms.label[room, view].astype(np.int64).reshape(size, GRID, GRID)
    tint = rooms.tint[room, view].astype(np.int64).reshape(size, GRID, GRID)
    mirrored = rng.random(size) < 0.5
    color[mirrored] = color[mirrored, :, ::-1]
    label[mirrored] = label[mirrored, :, ::-1]
    tint[mirrored] = tint[mirrored, :, ::-1]
    return PatchBatch(degrade(color, rng), label.reshape(size, -1), tint.reshape(size, -1))


def patch_tokens(model: LlavaForConditionalGeneration, images: UInt8[np.ndarray, "n 64 64 3"]) -> Tensor:
    """Decoder tokens (n, 64, width) of single views."""
    return torch.stack(list(model.model.get_image_features(pixel_values=pixels(images)).pooler_output))


def align_loss(model: LlavaForConditionalGeneration, batch: PatchBatch) -> Tensor:
    """Squared distance of each patch's token to the sum of its words, plus cross entropy over the class words
    (the distance alone learns the classes slowly); objects weigh three times."""
    table = model.model.language_model.embed_tokens.weight
    label, tint = torch.from_numpy(batch.label), torch.from_numpy(batch.tint)
    tokens = patch_tokens(model, batch.images).float()
    target = table[label] + table[tint] + table[torch.from_numpy(SIDE_WORDS)]
    distance = (tokens - target).square().sum(-1)
    scores = _SHARPNESS * tokens @ table[_CLASS_IDS].T
    surprise = nn.functional.cross_entropy(
        scores.flatten(0, 1), _CLASS_ROW[label].flatten(), reduction="none"
    )
    weight = torch.where(tint > 0, 3.0, 1.0)
    loss: Tensor = ((distance + surprise.reshape(distance.shape)) * weight).sum() / weight.sum()
    return loss


def patch_accuracy(model: LlavaForConditionalGeneration, batch: PatchBatch) -> dict[str, float]:
    """Shares of object patches with the right colour and class word, and of all patches with the right
    side."""
    with torch.no_grad():
        tokens = patch_tokens(model, batch.images).float()
        score = tokens @ model.model.language_model.embed_tokens.weight.T
    label, tint = torch.from_numpy(batch.label), torch.from_numpy(batch.tint)
    item = tint > 0
    colors, classes = torch.unique(tint[item]), torch.unique(label)
    sides = torch.tensor([WORD_IDS[side] for side in SIDES])
    best = {
        name: ids[score[..., ids].argmax(-1)] for name, ids in (("c", colors), ("k", classes), ("s", sides))
    }
    return {
        "patch_color": float((best["c"] == tint)[item].float().mean()),
        "patch_class": float((best["k"] == label)[item].float().mean()),
        "patch_background": float((best["k"] == label)[~item].float().mean()),
        "patch_side": float((best["s"] == torch.from_numpy(SIDE_WORDS)).float().mean()),
    }
