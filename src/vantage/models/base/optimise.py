"""What every stage of the base shares: the optimiser, its schedule, and scores per family."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn


def schedule(step: int, steps: int, warm_up: int) -> float:
    """Share of the learning rate at `step`: linear warm-up, then a cosine down to zero."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def optimise(
    parameters: Iterable[nn.Parameter],
    loss_of: Callable[[int], Tensor],
    *,
    steps: int,
    lr: float,
    warm_up: int = 60,
    weight_decay: float = 0.01,
    after: Callable[[int, float], None] | None = None,
) -> None:
    """AdamW over `steps`, gradients clipped to norm 1; `after` hears of each step's loss."""
    chosen = [p for p in parameters if p.requires_grad]
    optimiser = torch.optim.AdamW(chosen, lr=lr, betas=(0.9, 0.98), weight_decay=weight_decay)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * schedule(step, steps, warm_up)
        loss = loss_of(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(chosen, 1.0)
        optimiser.step()
        if after is not None:
            after(step, float(loss.detach()))


def accuracies(
    logits: Float32[Tensor, "n v"], answer: Int64[Tensor, "n"], family: Int64[Tensor, "n"], names: Sequence[str]
) -> dict[str, tuple[int, int]]:
    """Right answers and questions by family name, by the best word of the whole vocabulary."""
    right = logits.argmax(-1) == answer
    return {
        name: (int(right[family == k].sum()), int((family == k).sum()))
        for k, name in enumerate(names)
        if bool((family == k).any())
    }
