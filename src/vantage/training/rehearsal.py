"""A dry run of an arm: everything is built and one small step is made; nothing is written."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from vantage.core.tasks import Task
from vantage.training.config import FinetuneConfig
from vantage.training.loop import Plan
from vantage.training.place import accelerator, mode, recompute, threads, use_bf16
from vantage.training.protocols import BatchSource, Measured, Prepares, Trainable
from vantage.training.schedule import optimiser_of
from vantage.training.stage import prepare
from vantage.training.step import Stepper
from vantage.training.tree import parameter_tree, tree_text


def rehearse(task: Task, config: FinetuneConfig) -> list[str]:
    """Lines that tell what training the arm `task.item` would be; see `stage.finetune` for what is raised."""
    with threads(config.threads), TemporaryDirectory() as work:
        made = prepare(replace(task, work=Path(work)), config)
        return [
            *tree_text(parameter_tree(made.arm)),
            *cost_of(made.arm, made.source, made.plan, config.processes),
        ]


def cost_of(model: Trainable, source: BatchSource, plan: Plan, processes: int = 1) -> list[str]:
    """Tokens, memory and time of one of `processes`, from a step on the smallest sample, which changes the
    model.

    Memory and time are taken to grow with the tokens: a rough guess, high for models whose cost does not lie
    in their tokens. Raises `ParameterError` where a step cannot be divided among the processes.
    """
    assert isinstance(source, Measured) and isinstance(model, torch.nn.Module)
    micros = source.batch(0, 0, processes)
    place = accelerator()
    if plan.gradient_checkpointing:
        recompute(model)
    model.to(place.device)
    if isinstance(model, Prepares):
        model.prepare(lambda done, total: None)
    stepper = Stepper(place, model, model, use_bf16(plan.precision))
    optimiser, smallest = optimiser_of(model, plan.weight_decay), source.smallest()
    with mode(model, training=True):
        with _Kept(model) as kept:
            first = stepper.learn(source, 0, [smallest], optimiser)
        started = time.perf_counter()
        stepper.learn(source, 0, [smallest], optimiser)
        seconds = time.perf_counter() - started
    lengths = source.lengths()
    samples = sum(len(micro.sample_ids) for micro in micros)
    largest = max(len(micro.sample_ids) for micro in micros) * max(lengths)
    step_s = seconds * samples * sum(lengths) / len(lengths) / min(lengths)
    held = sum(p.nbytes for p in model.parameters())
    trained = sum(p.nbytes for p in model.trained().values())
    activations = kept.size * largest / min(lengths)
    return [
        f"tokens of a sample: {min(lengths)} to {max(lengths)}, median {median(lengths):.0f}; {len(lengths)} "
        f"samples, {samples} a step in {len(micros)} micro batches"
        + (f" (each of {processes} processes)" if processes > 1 else ""),
        f"a step on the smallest sample: loss {first.loss:.3f}, {seconds:.3f} s",
        f"memory: about {_mb(held + 3 * trained + activations)} (parameters {_mb(held)}, gradients and "
        f"optimiser {_mb(3 * trained)}, activations of the largest micro batch {_mb(activations)}), and the "
        "library's own",
        f"time: about {_time(step_s * plan.steps)} ({plan.steps} steps of {step_s:.2f} s)",
    ]


class _Kept(AbstractContextManager["_Kept"]):
    """Counts the bytes that a forward pass keeps for the backward one, parameters aside."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.size = 0
        self._seen = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self._hooks: Any = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda kept: kept)
        self._alive: list[Tensor] = []  # an address that is freed would come again

    def _pack(self, tensor: Tensor) -> Tensor:
        at = tensor.untyped_storage().data_ptr()
        if at not in self._seen:
            self._seen.add(at)
            self._alive.append(tensor)
            self.size += tensor.untyped_storage().nbytes()
        return tensor

    def __enter__(self) -> _Kept:
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._hooks.__exit__(*error)
        self._alive.clear()


def _mb(size: float | int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
