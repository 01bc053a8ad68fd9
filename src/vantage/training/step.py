"""One step: the micro batches of all processes weighed by what they teach, checked, and learned from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from vantage.core.errors import ContractError, VantageError
from vantage.models.losses import Losses
from vantage.training.place import mode
from vantage.training.protocols import BatchSource, Micro, Trainable

_CLIP = 1.0


@dataclass(frozen=True)
class Stepped:
    """What a step gave, over all processes.

    Attributes:
        loss: mean over all learned tokens of the step.
        parts: what it is made of, the same mean.
        tokens: learned tokens.
        gradient: norm of the gradient before it was cut to 1.
    """

    loss: float
    parts: dict[str, float]
    tokens: int
    gradient: float = 0.0


class Stepper:
    """Runs micro batches through a model, alone or as one of many processes."""

    def __init__(self, place: Accelerator, model: Trainable, wrapped: Any, bf16: bool) -> None:
        self.place = place
        self.model = model
        self._wrapped = wrapped
        self._bf16 = bf16
        self.world = int(place.num_processes)

    def learn(self, source: BatchSource, step: int, micros: Sequence[Micro], optimiser: Any) -> Stepped:
        """Forward, backward, the checks, and the optimiser's step.

        The gradient is that of the mean loss over all learned tokens of the step, however these are divided
        among micro batches and processes.

        Raises:
            VantageError: the loss or the gradient is not finite; nothing was changed.
            ContractError: processes got different numbers of micro batches, or there is nothing to learn.
        """
        tokens = self._tokens(step, micros)
        rows = []
        for number, micro in enumerate(micros):
            last = number + 1 == len(micros)
            with nullcontext() if last else self.place.no_sync(self._wrapped):
                losses = self._forward(micro)
                if number == 0:
                    optimiser.zero_grad()
                # Gradients of many processes are averaged, hence the factor.
                self.place.backward(losses.total * (self.world * micro.tokens / tokens))
            rows.append(losses)
        result = self._together(rows, tokens, lambda rank: source.batch(step, rank, self.world), step)
        norm = self.place.clip_grad_norm_(self.model.trained().values(), _CLIP)
        gradient = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
        if not math.isfinite(gradient):
            raise self._not_finite("gradient", gradient, step, [i for m in micros for i in m.sample_ids])
        optimiser.step()
        return Stepped(result.loss, result.parts, tokens, gradient)

    @torch.no_grad()
    def look(self, source: BatchSource, step: int, micros: Sequence[Micro]) -> Stepped:
        """The same losses in evaluation mode, and nothing learned."""
        with mode(self.model, training=False):
            tokens = self._tokens(step, micros)
            rows = [self._forward(micro) for micro in micros]
            return self._together(rows, tokens, lambda rank: source.batch(0, rank, self.world), step)

    def _forward(self, micro: Micro) -> Losses:
        with torch.autocast(self.place.device.type, torch.bfloat16, enabled=self._bf16):
            losses: Losses = self._wrapped(micro)
        if losses.tokens != micro.tokens:
            raise ContractError(
                "a model counts other learned tokens than its batch does", where=type(self.model).__name__,
                expected=micro.tokens, found=losses.tokens,
            )  # fmt: skip
        return losses

    def _tokens(self, step: int, micros: Sequence[Micro]) -> int:
        """Learned tokens of all processes."""
        counts = self.gather(torch.tensor([[len(micros), sum(micro.tokens for micro in micros)]]))
        if len(set(counts[:, 0].tolist())) != 1 or not micros:
            raise ContractError(
                "processes got different numbers of micro batches", where=f"step {step + 1}",
                expected="the same, at least one", found=counts[:, 0].tolist(),
            )  # fmt: skip
        tokens = int(counts[:, 1].sum())
        if tokens == 0:
            ids = ", ".join(i for micro in micros for i in micro.sample_ids)
            raise ContractError("nothing is to be learned", where=f"step {step + 1}", found=f"samples {ids}")
        return tokens

    def _together(self, rows: Sequence[Losses], tokens: int, batch_of: Any, step: int) -> Stepped:
        """Token-weighted means over all processes; whatever is not finite stops all of them."""
        names = sorted(rows[0].parts)
        table = torch.stack(
            [torch.stack([r.total.detach(), *(r.parts[n].detach() for n in names)]).double() for r in rows]
        )
        weights = torch.tensor([[r.tokens] for r in rows], dtype=torch.float64, device=table.device)
        found = self.gather(torch.cat([weights, table], 1)).tolist()
        for at, row in enumerate(found):
            if not math.isfinite(row[1]):
                rank, number = divmod(at, len(rows))
                raise self._not_finite("loss", row[1], step, batch_of(rank)[number].sample_ids)
        means = [sum(row[0] / tokens * row[k] for row in found) for k in range(1, len(names) + 2)]
        return Stepped(means[0], dict(zip(names, means[1:], strict=True)), tokens)

    def gather(self, rows: Tensor) -> Tensor:
        """The rows of all processes, in the order of their ranks, on the CPU."""
        if self.world == 1:
            return rows.cpu()
        gathered: Tensor = self.place.gather(rows.to(self.place.device))
        return gathered.cpu()

    def _not_finite(self, what: str, value: float, step: int, ids: Sequence[str]) -> VantageError:
        broken = _not_finite_in(self.model)
        cause = (
            f"the model's {broken} is not finite itself: take a sound base"
            if broken
            else ("look at these samples, or lower the learning rates")
        )
        return VantageError(
            f"the {what} is {value}", where=f"step {step + 1}, samples {', '.join(ids)}",
            expected="a finite number",
            hint=f"{cause}; nothing was learned from this step, and the last checkpoint is intact",
        )  # fmt: skip


def _not_finite_in(model: Trainable) -> str:
    """The first parameter that holds a number that is not finite, of this process's share; empty for none."""
    for name, parameter in model.named_parameters():
        own = parameter.to_local() if hasattr(parameter, "to_local") else parameter
        if not bool(own.isfinite().all()):
            return str(name)
    return ""
