"""What one step changes in a model, whatever model it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vantage.core.progress import Silent
from vantage.training.loop import Plan, train
from vantage.training.protocols import BatchSource, Trainable
from vantage.training.tree import parameter_tree


def changed_by_a_step(model: Trainable, source: BatchSource, work: Path, steps: int = 1) -> set[str]:
    """Names of the tensors (buffers too) that `steps` steps without weight decay change."""
    module: Any = model
    before = {name: value.clone() for name, value in module.state_dict().items()}
    train(model, source, Plan(steps, "changes", weight_decay=0.0, precision="fp32"), work, Silent())
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def assert_a_step_changes_what_is_trained(
    model: Trainable, source: BatchSource, work: Path, steps: int = 1, still: frozenset[str] = frozenset()
) -> None:
    """After `steps` steps exactly the trained tensors changed, but for `still` (no gradient yet)."""
    trained = set(model.trained())
    counted = sum(part.trained for part in parameter_tree(model))
    assert counted == sum(p.numel() for p in model.trained().values())
    assert changed_by_a_step(model, source, work, steps) == trained - still
