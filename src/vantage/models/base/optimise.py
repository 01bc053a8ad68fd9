"""What every stage of the base shares: the optimiser, its schedule, and counts of right answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from vantage.core.progress import Progress


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
    progress: Progress,
    warm_up: int = 60,
    weight_decay: float = 0.01,
) -> None:
    """AdamW over `steps`, gradients clipped to norm 1."""
    chosen = [p for p in parameters if p.requires_grad]
    optimiser = torch.optim.AdamW(chosen, lr=lr, betas=(0.9, 0.98), weight_decay=weight_decay)
    started, recent = time.monotonic(), 0.0
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = lr * schedule(step, steps, warm_up)
        loss = loss_of(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(chosen, 1.0)
        optimiser.step()
        recent += (float(loss.detach()) - recent) / min(step + 1, 50)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            left = (time.monotonic() - started) / (step + 1) * (steps - step - 1)
            progress.step(step + 1, steps, f"loss {recent:.3f}, {left:.0f} s left")


class Tally:
    """Right answers by family; an answer is the best word of the whole vocabulary."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.right = torch.zeros(len(names))
        self.asked = torch.zeros(len(names))

    def add(
        self, logits: Float[Tensor, "n v"], answer: Int64[Tensor, "n"], family: Int64[Tensor, "n"]
    ) -> None:
        """Count a batch."""
        right = (logits.argmax(-1) == answer).float()
        self.right += torch.bincount(family, right, len(self.names)).float()
        self.asked += torch.bincount(family, minlength=len(self.names)).float()

    def percent(self) -> dict[str, float]:
        """Percent right of every family asked at all."""
        pairs = zip(self.names, self.right.tolist(), self.asked.tolist(), strict=True)
        return {name: round(100.0 * right / asked, 1) for name, right, asked in pairs if asked}
