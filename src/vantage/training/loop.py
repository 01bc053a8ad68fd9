"""The training loop: accelerate places it, checkpoints let a killed run go on to the same bytes."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import nn

from vantage.core import atomic
from vantage.core.progress import Progress
from vantage.training.arm import Arm
from vantage.training.collate import batch_at
from vantage.training.config import ArmConfig, FinetuneConfig
from vantage.training.samples import Samples

CHECKPOINT_FILE = "checkpoint.pt"


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run's bytes besides the samples. `key` is the digest under which it
    resumes."""

    config: FinetuneConfig
    arm: ArmConfig
    seed: int
    key: str

    @property
    def steps(self) -> int:
        """Steps of this arm."""
        return self.arm.steps or self.config.steps


def use_bf16(precision: Literal["auto", "bf16", "fp32"]) -> bool:
    """Whether to run in bfloat16; `auto` does on processors that multiply it natively."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """torch on `count` threads inside; sums depend on it, so results are only equal for equal counts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(arm: Arm, samples: Samples, plan: Plan, work: Path, progress: Progress) -> list[float]:
    """Train `arm` in place; returns the loss of every step.

    Checkpoints go to `work`; one left by a killed run with the same key is taken up.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    optimiser = _optimiser(arm, plan)
    arm.to(accelerator.device)
    model, optimiser = accelerator.prepare(arm, optimiser)
    arm.prepare(lambda done, total: progress.step(0, plan.steps, f"reading frames {done}/{total}"))
    losses = _resume(work / CHECKPOINT_FILE, plan.key, arm, optimiser)
    first, started = len(losses), time.monotonic()
    bf16 = use_bf16(plan.config.precision)
    for step in range(first, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * _schedule(step, plan.steps, plan.config.warm_up)
        batch = batch_at(
            samples, plan.seed, step, scenes=plan.config.scenes, questions=plan.config.questions,
            coordinates=plan.arm.coordinates,
        )  # fmt: skip
        with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=bf16):
            loss = model(batch)
        optimiser.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(arm.trained().values(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % plan.config.checkpoint_every == 0 and step + 1 < plan.steps:
            _checkpoint(work / CHECKPOINT_FILE, plan.key, arm, optimiser, losses)
        if (step + 1) % 10 == 0 or step + 1 == plan.steps:
            left = (time.monotonic() - started) / (step + 1 - first) * (plan.steps - step - 1)
            mean = sum(losses[-10:]) / len(losses[-10:])
            progress.step(step + 1, plan.steps, f"loss {mean:.3f}, {left:.0f} s left")
    return losses


def _optimiser(arm: Arm, plan: Plan) -> torch.optim.AdamW:
    projector, position = plan.arm.rates()
    trained = arm.trained()
    groups: list[dict[str, Any]] = []
    for peak, chosen in (
        (projector, [p for name, p in trained.items() if not name.startswith("encoder.")]),
        (position, [p for name, p in trained.items() if name.startswith("encoder.")]),
    ):
        if chosen:
            groups.append({"params": chosen, "lr": peak, "peak": peak})
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=plan.config.weight_decay)


def _schedule(step: int, steps: int, warm_up: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1.0 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _checkpoint(path: Path, key: str, arm: Arm, optimiser: Any, losses: list[float]) -> None:
    buffer = io.BytesIO()
    trained: dict[str, nn.Parameter] = arm.trained()
    state = {
        "key": key,
        "trained": {name: p.detach() for name, p in trained.items()},
        "optimiser": optimiser.state_dict(),
        "losses": losses,
    }
    torch.save(state, buffer)
    atomic.write_bytes(path, buffer.getvalue())


def _resume(path: Path, key: str, arm: Arm, optimiser: Any) -> list[float]:
    """Losses so far, with parameters and optimiser restored; empty without a checkpoint of this very run."""
    if not path.is_file():
        return []
    state = torch.load(path, weights_only=True)
    if state["key"] != key:
        return []
    with torch.no_grad():
        for name, parameter in arm.trained().items():
            parameter.copy_(state["trained"][name])
    optimiser.load_state_dict(state["optimiser"])
    return [float(loss) for loss in state["losses"]]
