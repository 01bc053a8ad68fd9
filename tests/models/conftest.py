from __future__ import annotations

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from vantage.models.pocket import PocketShape, build

SMALL = PocketShape(
    vision_width=32, vision_layers=2, vision_heads=2, vision_mlp=48, width=96, layers=2, heads=2, mlp=64
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """On layers this small a second thread costs more than it gives."""
    torch.set_num_threads(1)


@pytest.fixture
def model() -> LlavaForConditionalGeneration:
    """A smaller model of the same parts, with weights of its own for every test."""
    return build(SMALL, seed=3)
