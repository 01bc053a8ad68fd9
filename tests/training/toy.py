"""A small model with frozen and trained parts, dropout, two losses; and batches that follow from the step.

As a script it trains in a process of its own, or as one of many under torch.distributed.run:
`python toy.py FOLDER '{"steps": 20, ...}'` leaves `rank0.json` and the trained tensors in FOLDER.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vantage.core.hashing import digest_json
from vantage.core.seeds import rng
from vantage.models.losses import Losses
from vantage.training.loop import Outcome, Plan, train
from vantage.training.place import leave, threads

WIDTH, WORDS = 8, 11


@dataclass(frozen=True)
class Row:
    """A sample: some tokens and what is to be said after each."""

    name: str
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class ToyBatch:
    rows: tuple[Row, ...]

    @property
    def sample_ids(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows)

    @property
    def tokens(self) -> int:
        return sum(len(row.y) for row in self.rows)


@dataclass(frozen=True)
class ToySource:
    """`scenes` samples a step, of 1 to 6 tokens each; the sample `poison` holds a NaN, `shift` 1 says the
    opposite."""

    seed: int = 0
    scenes: int = 8
    accumulate: int = 1
    poison: str = ""
    shift: int = 0

    def whole(self, step: int) -> list[Row]:
        draw = rng(self.seed, "toy", step)
        rows = []
        for k in range(self.scenes):
            length = int(draw.integers(1, 7))
            x = torch.from_numpy(draw.normal(size=(length, WIDTH)).astype(np.float32))
            name = f"step {step} row {k}"
            if name == self.poison:
                x[0, 0] = float("nan")
            rows.append(Row(name, x, ((x.sum(1) > 0).long() + self.shift) % 2))
        return rows

    def batch(self, step: int, rank: int, world: int) -> Sequence[ToyBatch]:
        rows, parts = self.whole(step), world * self.accumulate
        each = len(rows) // parts
        mine = range(rank * self.accumulate, (rank + 1) * self.accumulate)
        return [ToyBatch(tuple(rows[k * each : (k + 1) * each])) for k in mine]

    def digest(self) -> str:
        return digest_json([self.seed, self.scenes, self.accumulate, self.poison, self.shift])


class Toy(nn.Module):
    """`tower` frozen, `head` and one of two `layers` trained; `spare` learns from every other sample."""

    def __init__(self, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.tower = nn.Linear(WIDTH, WIDTH)
            self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
            self.spare = nn.Linear(WIDTH, 1)
            self.head = nn.Linear(WIDTH, WORDS)
        self.dropout = nn.Dropout(dropout)
        self.tower.requires_grad_(False)
        self.layers[0].requires_grad_(False)

    def trained(self) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def rate(self, name: str) -> float:
        return 3e-2 if name.startswith("head") else 1e-2

    def forward(self, batch: ToyBatch) -> Losses:
        device = self.head.weight.device
        x = torch.cat([row.x for row in batch.rows]).to(device)
        y = torch.cat([row.y for row in batch.rows]).to(device)
        hidden = torch.tanh(self.tower(x))
        for layer in self.layers:
            hidden = self.dropout(torch.tanh(layer(hidden)))
        words = nn.functional.cross_entropy(self.head(hidden), y)
        odd = torch.cat([torch.full((len(row.y),), int(row.name[-1]) % 2) for row in batch.rows]).bool()
        total, size = words, torch.zeros((), device=device)
        if odd.any():  # in some micro batches a head has nothing to learn from
            size = (self.spare(hidden)[:, 0] - y)[odd.to(device)].square().sum() / len(y)
            total = words + 0.1 * size
        return Losses(total, len(y), {"words": words.detach(), "size": size.detach()})


def die_while_writing(checkpoint: int) -> None:
    """Kill this process in the middle of writing its n-th checkpoint."""
    from vantage.training import checkpoint as module

    written, save = [], module.save_file

    def half(tensors: dict[str, Tensor], path: Path, described: dict[str, str]) -> None:
        save(tensors, path, described)
        written.append(path)
        if len(written) == checkpoint:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    module.save_file = half


class Killer:
    """A progress that kills its own process once the run tells of step `at`."""

    def __init__(self, at: int | None) -> None:
        self.at = at

    def step(self, done: int, total: int, note: str = "") -> None:
        if done == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def say(self, text: str) -> None:
        print(text, flush=True)


def shard_on_cpu() -> None:
    """accelerate shards on accelerators alone; its code and gloo do it on a CPU too."""
    from accelerate import PartialState
    from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

    from vantage.training.place import accelerator

    state = accelerator().state  # shared by all accelerators of the process
    PartialState._shared_state["distributed_type"] = state.distributed_type = DistributedType.FSDP
    state.fsdp_plugin = FullyShardedDataParallelPlugin()  # from the environment, as the launcher leaves it


def main(folder: Path, settings: dict[str, Any]) -> Outcome:
    """Train as the settings say."""
    if settings.pop("shard_on_cpu", False):
        shard_on_cpu()
    if count := settings.pop("die_while_writing", 0):
        die_while_writing(count)
    model = Toy(settings.pop("dropout", 0.0))
    source = ToySource(accumulate=settings.pop("accumulate", 1), poison=settings.pop("poison", ""))
    validation = ToySource(seed=9) if settings.get("validate_every") else None
    progress = Killer(settings.pop("kill_at", None))
    plan = Plan(**({"key": "toy", "precision": "fp32"} | settings))
    with threads(1):
        outcome = train(model, source, plan, folder / "work", progress, validation=validation)
        tensors, sharded = {}, any(hasattr(p, "full_tensor") for p in model.trained().values())
        for name, p in model.trained().items():
            whole = p.detach().full_tensor() if hasattr(p, "full_tensor") else p.detach()
            tensors[name] = whole.cpu().numpy().tobytes().hex()
    if outcome.main:
        said = {
            "sharded": sharded,
            "losses": outcome.losses,
            "validation": outcome.validation,
            "tensors": tensors,
        }
        (folder / "rank0.json").write_text(json.dumps(said))
        print("finished", flush=True)
    return outcome


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
    leave()
