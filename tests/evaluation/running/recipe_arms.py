"""An adapter of every recipe on a small model that knows the rooms' words; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import pocket_as_vlm
from vantage.models.loading import load_vlm
from vantage.models.prompts import Preparer
from vantage.models.recipes import RecipeName, read_options, recipe
from vantage.models.situated import add_tokens
from vantage.models.vlm.checkpoint import save_adapter
from vantage.models.vlm.model import SpatialVlm

ARMS: dict[str, tuple[RecipeName, dict[str, Any]]] = {
    "multiview": ("multiview", {}),
    "situated": ("situated", {"tune": "projector"}),
    "transform": ("posealign", {"tune": "projector"}),
    "prompt": ("posealign", {"tune": "projector", "align": {"mode": "prompt"}}),
    "embed": ("posealign", {"tune": "projector", "align": {"mode": "embed"}}),
    "grounded": ("grounded", {"tune": "projector", "tower": False}),
}


def base(folder: Path) -> Path:
    """The pocket model as a stock LLaVA."""
    return pocket_as_vlm.write(folder)


def adapter(
    folder: Path, base: Path, arm: str, arms: Mapping[str, tuple[RecipeName, dict[str, Any]]] = ARMS
) -> Path:
    """An arm whose encoder and heads are far from what they start as."""
    name, options = arms[arm]
    made = recipe(name, None, read_options(options, arm))
    loaded = load_vlm(base)
    prepare = Preparer.load(loaded.model, loaded.folder)
    tokens = None if made.model.situated is None else add_tokens(prepare.tokenizer)
    whole = SpatialVlm(loaded.model, made.model, 0, tokens)
    _shake(whole)
    folder.mkdir(parents=True)
    about = {"align": None if made.align is None else asdict(made.align), "dialogs": made.dialogs}
    save_adapter(folder, whole, loaded.identity, about)
    return folder


@torch.no_grad()
def _shake(whole: SpatialVlm) -> None:
    generator = torch.Generator().manual_seed(2)
    for part in (whole.encoder, whole.situated):
        for parameter in () if part is None else part.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(noise * parameter.square().mean().sqrt().clamp(min=0.05))
