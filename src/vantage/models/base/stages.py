"""The three stages of the base: each reads what the former left in a work folder and leaves its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from vantage.core.progress import Progress
from vantage.core.seeds import rng as make_rng
from vantage.models.base.align import align_loss, patch_accuracy, patch_batch
from vantage.models.base.optimise import Tally, optimise
from vantage.models.base.recipe import FAMILIES, BaseRecipe, Scores
from vantage.models.base.rendered import RenderedRooms, render_rooms
from vantage.models.base.situated import RenderedScenes, image_logits
from vantage.models.base.symbolic import SymbolicScenes, sample_scenes
from vantage.models.base.text import text_batch, text_logits

TEST_SEED = 1_000_003
"""Added to the recipe's seed for rooms that are never trained on."""


def in_chunks(
    make: Callable[[int, int], Any], total: int, chunk: int, tell: Callable[[int, int], None]
) -> Any:
    """`make(first, count)` over `total` items on all cores, put together along the first axis."""
    jobs = [(first, min(chunk, total - first)) for first in range(0, total, chunk)]
    parts = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for part in pool.map(make, *zip(*jobs, strict=True)):
            parts.append(part)
            tell(len(parts), len(jobs))
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(kind)))


def symbolic(recipe: BaseRecipe, seed: int, count: int, progress: Progress) -> SymbolicScenes:
    """`count` symbolic scenes of a seed."""
    make = partial(_symbolic_chunk, seed, tuple(recipe.families_asked()))
    scenes: SymbolicScenes = in_chunks(make, count, 200, lambda d, t: progress.step(d, t, "writing scenes"))
    return scenes


def rendered(recipe: BaseRecipe, seed: int, count: int, progress: Progress) -> RenderedRooms:
    """`count` rendered rooms of a seed."""
    make = partial(_rendered_chunk, seed, recipe.views)
    rooms: RenderedRooms = in_chunks(make, count, 20, lambda d, t: progress.step(d, t, "rendering rooms"))
    return rooms


def _symbolic_chunk(seed: int, families: Sequence[str], first: int, count: int) -> SymbolicScenes:
    return sample_scenes(seed, first, count, families, per_scene=24)


def _rendered_chunk(seed: int, views: int, first: int, count: int) -> RenderedRooms:
    return render_rooms(seed, first, count, views)


def train_text(
    model: LlavaForConditionalGeneration, scenes: SymbolicScenes, recipe: BaseRecipe, progress: Progress
) -> None:
    """Train the decoder (its word vectors stay) on symbolic scenes."""
    rng = make_rng(recipe.seed, "text")
    model.requires_grad_(False)
    model.model.language_model.layers.requires_grad_(True)
    model.model.language_model.norm.requires_grad_(True)

    def loss_of(_step: int) -> Tensor:
        rows = rng.integers(0, len(scenes.position), recipe.text_batch)
        batch = text_batch(model, scenes, rows, rng, FAMILIES)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            logits = text_logits(model, batch)
        return torch.nn.functional.cross_entropy(logits, batch.answer)

    optimise(model.parameters(), loss_of, steps=recipe.text_steps, lr=recipe.text_lr, progress=progress)


def test_text(model: LlavaForConditionalGeneration, scenes: SymbolicScenes) -> Scores:
    """Percent right by family on symbolic scenes that have geometry words."""
    tally, rng = Tally(FAMILIES), make_rng(TEST_SEED, "test text")
    with torch.no_grad():
        for first in range(0, len(scenes.position), 20):
            rows = np.arange(first, min(first + 20, len(scenes.position)))
            batch = text_batch(model, scenes, rows, rng, FAMILIES, plain_share=0.0)
            tally.add(text_logits(model, batch), batch.answer, batch.family)
    return tally.percent()


def train_align(
    model: LlavaForConditionalGeneration, rooms: RenderedRooms, recipe: BaseRecipe, progress: Progress
) -> None:
    """Train tower and projector to name what patches show."""
    rng = make_rng(recipe.seed, "align")
    model.requires_grad_(False)
    model.model.vision_tower.requires_grad_(True)
    model.model.multi_modal_projector.requires_grad_(True)

    def loss_of(_step: int) -> Tensor:
        batch = patch_batch(rooms, rng, recipe.align_batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            return align_loss(model, batch)

    optimise(model.parameters(), loss_of, steps=recipe.align_steps, lr=recipe.align_lr, progress=progress)


def test_align(model: LlavaForConditionalGeneration, rooms: RenderedRooms) -> Scores:
    """Percent right by kind of patch, on 512 views of rooms never trained on."""
    batch = patch_batch(rooms, make_rng(TEST_SEED, "test align"), 512)
    return {name: round(100.0 * share, 1) for name, share in patch_accuracy(model, batch).items()}


def train_base(
    model: LlavaForConditionalGeneration,
    scenes: RenderedScenes,
    replay: SymbolicScenes,
    recipe: BaseRecipe,
    progress: Progress,
) -> None:
    """Train all but the word vectors on questions about pictures, some steps on symbolic scenes lest they
    fade."""
    rng = make_rng(recipe.seed, "base")
    model.requires_grad_(True)
    model.model.language_model.embed_tokens.requires_grad_(False)

    def loss_of(_step: int) -> Tensor:
        batch: Any
        if rng.random() < recipe.base_text_share:
            rows = rng.integers(0, len(replay.position), recipe.base_batch)
            batch = text_batch(model, replay, rows, rng, FAMILIES)
            logits_of: Any = text_logits
        else:
            batch = scenes.draw(rng, recipe.base_batch, FAMILIES, recipe.base_questions)
            logits_of = image_logits
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            logits = logits_of(model, batch)
        return torch.nn.functional.cross_entropy(logits, batch.answer)

    optimise(model.parameters(), loss_of, steps=recipe.base_steps, lr=recipe.base_lr, progress=progress)


def test_images(
    model: LlavaForConditionalGeneration, scenes: RenderedScenes, situations: int = 160
) -> Scores:
    """Percent right by family from pictures alone, on rooms never trained on (direction: seen in view 1)."""
    tally, rng = Tally(FAMILIES), make_rng(TEST_SEED, "test images")
    with torch.no_grad():
        for _ in range(situations // 8):
            batch = scenes.draw(rng, 8, FAMILIES, 20)
            tally.add(image_logits(model, batch), batch.answer, batch.family)
    return tally.percent()
