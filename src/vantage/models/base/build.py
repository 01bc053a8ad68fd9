"""Puts the stages of the base together, checks each against its floors, and writes the result."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from vantage.core.hashing import digest_json
from vantage.core.progress import Progress
from vantage.models.base import stages
from vantage.models.base.recipe import BaseRecipe, Scores, require
from vantage.models.base.situated import RenderedScenes
from vantage.models.checkpoint import save_base
from vantage.models.pocket import PocketShape, build
from vantage.models.tokens import vocabulary_digest

_VISION = ("model.vision_tower.", "model.multi_modal_projector.")


def run_part(name: str, recipe: BaseRecipe, work: Path, progress: Progress) -> None:
    """Stage `text` or `align`, unless the work folder has it already."""
    path = _path(name, recipe, work)
    if path.is_file():
        progress.say("kept from before")
        return
    torch.set_num_threads(1)
    model = build(PocketShape(), recipe.seed)
    unseen = recipe.seed + stages.TEST_SEED
    scores: Scores
    if name == "text":
        stages.train_text(
            model, stages.symbolic(recipe, recipe.seed, recipe.text_scenes, progress), recipe, progress
        )
        scores = stages.test_text(model, stages.symbolic(recipe, unseen, 400, progress))
    else:
        stages.train_align(
            model, stages.rendered(recipe, recipe.seed, recipe.rooms, progress), recipe, progress
        )
        scores = stages.test_align(model, stages.rendered(recipe, unseen, recipe.test_rooms, progress))
    progress.say(str(scores))
    require(name, scores, recipe)
    _save(model, path, {k: str(v) for k, v in scores.items()})


def stitched(recipe: BaseRecipe, work: Path) -> LlavaForConditionalGeneration:
    """Tower and projector of `align` with the decoder of `text`.

    Taken tensor by tensor under the names of one state dict: a part kept under two names is how a merge gets
    silently undone on load.
    """
    model = build(PocketShape(), recipe.seed)
    text, align = (load_file(_path(name, recipe, work)) for name in ("text", "align"))
    state = {name: (align if name.startswith(_VISION) else text)[name] for name in text}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    return model


def finish(recipe: BaseRecipe, work: Path, out: Path, progress: Progress) -> dict[str, Scores]:
    """Stage `base` on the stitched model; writes weights and recipe to `out` and returns all scores."""
    torch.set_num_threads(recipe.base_threads)
    model = stitched(recipe, work)
    unseen = recipe.seed + stages.TEST_SEED
    tests = stages.rendered(recipe, unseen, recipe.test_rooms, progress)
    test_scenes = RenderedScenes(tests, unseen)
    test_text = stages.symbolic(recipe, unseen, 400, progress)
    scores: dict[str, Scores] = {
        "text": stages.test_text(model, test_text),
        "align": stages.test_align(model, tests),
        "stitched": stages.test_images(model, test_scenes),
    }
    for name in ("text", "align", "stitched"):
        progress.say(f"{name}: {scores[name]}")
        require(name, scores[name], recipe)
    rooms = RenderedScenes(stages.rendered(recipe, recipe.seed, recipe.rooms, progress), recipe.seed)
    replay = stages.symbolic(recipe, recipe.seed, recipe.text_scenes, progress)
    stages.train_base(model, rooms, replay, recipe, progress)
    scores["base"] = stages.test_images(model, test_scenes)
    scores["base_text"] = stages.test_text(model, test_text)
    scores["base_align"] = stages.test_align(model, tests)
    for name in ("base", "base_text", "base_align"):
        progress.say(f"{name}: {scores[name]}")
        require(name, scores[name], recipe)
    save_base(out, model, PocketShape(), {"recipe": asdict(recipe), "percent_right": scores})
    return scores


def _path(name: str, recipe: BaseRecipe, work: Path) -> Path:
    amounts = {k: v for k, v in asdict(recipe).items() if not k.startswith("base_") and k != "floors"}
    key = digest_json([amounts, vocabulary_digest(), asdict(PocketShape())])[:12]
    return work / f"{name}-{key}.safetensors"


def _save(model: LlavaForConditionalGeneration, path: Path, note: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = {
        k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"
    }
    save_file(state, path, metadata=note)
