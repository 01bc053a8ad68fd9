"""Learning rates: a peak for each parameter, a warm-up and a cosine for all."""

from __future__ import annotations

import math
from typing import Any

import torch

from vantage.training.protocols import Trainable

_BETAS = (0.9, 0.98)


def optimiser_of(model: Trainable, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the trained parameters, a group for each peak rate, in the order they first appear."""
    groups: dict[float, list[Any]] = {}
    for name, parameter in model.trained().items():
        groups.setdefault(model.rate(name), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": chosen, "lr": peak, "peak": peak} for peak, chosen in groups.items()],
        betas=_BETAS,
        weight_decay=weight_decay,
    )


def set_rates(optimiser: Any, step: int, steps: int, warm_up: int) -> float:
    """Set every group's rate for a step; returns the share of the peak."""
    share = share_of_peak(step, steps, warm_up)
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
    return share


def share_of_peak(step: int, steps: int, warm_up: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))
