"""The training loop, for any model and any source of batches; a killed run goes on to the same bytes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, broadcast_object_list

from vantage.core import atomic
from vantage.core.errors import ResourceError
from vantage.core.progress import Progress, Silent
from vantage.core.seeds import priority
from vantage.core.tracking import NoRun, OpenRun
from vantage.models.device import gpu_memory
from vantage.training.ahead import Ahead
from vantage.training.checkpoint import BEST, LAST, State, capture, read, restore, write
from vantage.training.place import Precision, accelerator, gpus, mode, recompute, use_bf16
from vantage.training.protocols import Asked, BatchSource, Prepares, Trainable
from vantage.training.schedule import optimiser_of, set_rates
from vantage.training.step import Stepped, Stepper
from vantage.training.tree import parameter_tree, tree_text

_SMALLER = "lower finetune.vlm.tokens or finetune.scenes, or set finetune.gradient_checkpointing"


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps: optimiser steps.
        key: digest of everything that the run's bytes follow from; a checkpoint with another is not taken up.
        seed: of what the model draws in training (dropout), each step anew.
        warm_up: steps until the full learning rate.
        weight_decay: of AdamW.
        precision: see `place.use_bf16`.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations; 0 for none.
        patience: validations without a lower loss after which training ends; 0 for never.
        best: leave the model as it was at its lowest validation loss, not as it was last.
        workers: threads that prepare batches ahead.
        resume: take up a checkpoint; False begins anew.
        gradient_checkpointing: compute activations again instead of keeping them.
    """

    steps: int
    key: str
    seed: int = 0
    warm_up: int = 0
    weight_decay: float = 0.01
    precision: Precision = "auto"
    checkpoint_every: int = 50
    validate_every: int = 0
    patience: int = 0
    best: bool = False
    workers: int = 0
    resume: bool = True
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class Outcome:
    """What training gave.

    Attributes:
        losses: of every step.
        validation: (steps done, loss).
        data_wait_share: share of the time of the steps made now that the loop stood still for data.
        main: whether this process is the one that writes.
    """

    losses: tuple[float, ...]
    validation: tuple[tuple[int, float], ...]
    data_wait_share: float
    main: bool


def train(
    model: Trainable,
    source: BatchSource,
    plan: Plan,
    work: Path,
    progress: Progress,
    *,
    validation: BatchSource | None = None,
    run: OpenRun | None = None,
    asked: Asked | None = None,
) -> Outcome:
    """Train `model` in place, in training mode.

    Checkpoints go to `work`: `last`, and with `validation` (a source whose step 0 is the fixed list) `best`.
    `asked` is asked by the first process at each validation, unless the model is sharded.

    Raises:
        VantageError: a loss that is not finite, with the step and its samples.
        ResourceError: a checkpoint could not be written; the one before is intact.
        ContractError: a damaged checkpoint; a model or source that breaks its protocol.
    """
    with mode(model, training=True):
        made = _Training(model, source, plan, work, progress, validation, run or NoRun(), asked)
        with torch.random.fork_rng(devices=gpus(made.place)):
            return made.run()


class _Training:
    def __init__(
        self,
        model: Trainable,
        source: BatchSource,
        plan: Plan,
        work: Path,
        progress: Progress,
        validation: BatchSource | None,
        tracked: OpenRun,
        asked: Asked | None,
    ) -> None:
        self.place = accelerator()
        self.main = bool(self.place.is_main_process)
        self.model, self.source, self.plan, self.work = model, source, plan, work
        self.progress = progress if self.main else Silent()
        self.validation = validation if plan.validate_every else None
        self.tracked = tracked if self.main else NoRun()
        # What a sharded model knows is in no process alone.
        self.asked = asked if self.main and self.place.distributed_type != DistributedType.FSDP else None
        for line in tree_text(parameter_tree(model)):
            self.progress.say(line)
        self.optimiser, self.stepper = self._place()
        self.state = State(plan.key)

    def _place(self) -> tuple[Any, Stepper]:
        """Model and optimiser where accelerate wants them."""
        plan, module = self.plan, self.model
        assert isinstance(module, torch.nn.Module)
        if plan.gradient_checkpointing:
            recompute(self.model)
        optimiser = optimiser_of(self.model, plan.weight_decay)
        if self.place.distributed_type != DistributedType.FSDP:  # which moves each shard by itself
            module.to(self.place.device)
        if isinstance(module, Prepares):
            tell = self.progress
            module.prepare(lambda done, total: tell.step(0, plan.steps, f"reading frames {done}/{total}"))
        wrapped, optimiser = self.place.prepare(module, optimiser)
        return optimiser, Stepper(self.place, self.model, wrapped, use_bf16(plan.precision))

    def run(self) -> Outcome:
        plan, state = self.plan, self._resume()
        self.state = state
        first, started = len(state.losses), time.monotonic()
        if self.asked is not None:
            self.asked.show(first, self.tracked)
        rank, world = int(self.place.process_index), self.stepper.world
        end = first if self._tired() else plan.steps
        ahead = Ahead(lambda step: self.source.batch(step, rank, world), range(first, end), plan.workers)
        for step, micros in ahead:
            torch.manual_seed(priority(plan.seed, "training", step, rank) % 2**63)
            share = set_rates(self.optimiser, step, plan.steps, plan.warm_up)
            with gpu_memory(f"step {step + 1}", _SMALLER):
                stepped = self.stepper.learn(self.source, step, micros, self.optimiser)
            state.losses.append(stepped.loss)
            self._track(step, stepped, share)
            self._tell(first, time.monotonic() - started)
            stop = self._validate(step)
            if stop or (step + 1) % plan.checkpoint_every == 0 or step + 1 == plan.steps:
                self._save(LAST)
            if stop:
                break
        spent = max(time.monotonic() - started, 1e-9)
        if plan.best and state.validation:
            self._take_best()
        share = min(1.0, ahead.waited_s / spent)
        return Outcome(tuple(state.losses), tuple(state.validation), share, self.main)

    def _resume(self) -> State:
        """Where a killed run was, with model and optimiser put back; the beginning without a checkpoint."""
        path, state = self.work / LAST, State(self.plan.key)
        if self.main:
            for name in (LAST, BEST):
                atomic.remove_unfinished(self.work / name)
        if self.plan.resume and path.is_file():
            found = read(path)
            if found.key == self.plan.key:
                restore(self.model, self.optimiser, found.tensors, path)
                state = State(found.key, found.losses, found.validation)
        at = self.stepper.gather(torch.tensor([len(state.losses)])).tolist()
        if len(set(at)) > 1:
            raise ResourceError(
                "processes do not see the same checkpoint", where=path, found=f"steps {at} by rank",
                hint="give all nodes one shared folder for the work of a run",
            )  # fmt: skip
        return state

    def _validate(self, step: int) -> bool:
        """Validate where it is time; whether training has gone on for long enough without a gain."""
        plan, done = self.plan, step + 1
        if self.validation is None or (done % plan.validate_every and done != plan.steps):
            return False
        micros = self.validation.batch(0, int(self.place.process_index), self.stepper.world)
        loss = self.stepper.look(self.validation, step, micros).loss
        better = all(loss < before for _, before in self.state.validation)
        self.state.validation.append((done, loss))
        self.tracked.log(done, {"validation_loss": loss})
        if self.asked is not None:
            with mode(self.model, training=False):
                self.asked.ask(done, self.tracked)
        if better:
            self._save(BEST)
        return self._tired()

    def _tired(self) -> bool:
        values = [loss for _, loss in self.state.validation]
        # The first of equal losses counts as the best one.
        return 0 < self.plan.patience <= len(values) - 1 - values.index(min(values)) if values else False

    def _save(self, name: str) -> None:
        tensors = capture(self.model, self.optimiser)
        failure: ResourceError | None = None
        if self.main:
            state = self.state
            try:
                write(self.work / name, State(state.key, state.losses, state.validation, tensors))
            except ResourceError as error:
                failure = error
        said = [failure]
        broadcast_object_list(said)  # nobody waits for a process that has ended
        if said[0] is not None:
            raise said[0]

    def _take_best(self) -> None:
        path = self.work / BEST
        restore(self.model, None, read(path).tensors, path)

    def _track(self, step: int, stepped: Stepped, share: float) -> None:
        values = {"loss": stepped.loss, "rate_share": share, "gradient_norm": stepped.gradient}
        self.tracked.log(step + 1, values | stepped.parts | {"tokens": float(stepped.tokens)})

    def _tell(self, first: int, spent: float) -> None:
        losses, steps = self.state.losses, self.plan.steps
        done = len(losses)
        if done % 10 == 0 or done == steps:
            left = spent / (done - first) * (steps - done)
            self.progress.step(done, steps, f"loss {_mean(losses[-10:]):.3f}, {left:.0f} s left")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
