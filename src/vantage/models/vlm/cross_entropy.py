"""Cross-entropy of the next token without ever holding the logits of a whole batch.

Logits of (tokens x vocabulary) are the largest tensor of a training step: 4,000 tokens of 150,000 words are
2.4 GB in float32, three times over with softmax and gradient. Here they exist for some learned tokens at a
time, and their gradient is made at once, so that nothing is computed twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vantage.models.vlm.dialog import NOT_LEARNED
from vantage.models.vlm.head import OutputHead

CHUNK_LOGITS, CHUNK_LOGITS_CPU = 2**26, 2**23
"""Logits that exist at a time, 256 MiB in float32 on a GPU and 32 MiB on a CPU: more are no faster."""


@dataclass(frozen=True)
class LossSum:
    """The loss summed over learned tokens, a scalar with its gradient, and how many they are."""

    total: Float32[Tensor, ""]
    tokens: int


def next_token_loss(
    hidden: Float[Tensor, "b t d"],
    labels: Int64[Tensor, "b t"],
    head: OutputHead,
    chunk_logits: int | None = None,
) -> LossSum:
    """The sum of `F.cross_entropy(head(hidden[:, :-1]).float(), labels[:, 1:])` over learned tokens.

    Args:
        hidden: the decoder's last hidden states.
        labels: ids at their own places, `NOT_LEARNED` where nothing is learned; the state before a
            token predicts it, as in transformers.
        head: makes the logits; its parameters get their gradients if they require any.
        chunk_logits: at most so many logits exist at a time (but at least those of one token); None: as many
            as suit the device.

    Without a learned token the total is 0 and its gradients are zeros.
    """
    targets = labels[:, 1:]
    learned = targets != NOT_LEARNED
    rows = hidden[:, :-1][learned]
    if chunk_logits is None:
        chunk_logits = CHUNK_LOGITS_CPU if hidden.device.type == "cpu" else CHUNK_LOGITS
    own = list(head.module.parameters())
    if not torch.is_grad_enabled():
        rows, own = rows.detach(), []
    apply: Callable[..., Tensor] = _ChunkedLoss.apply
    total = apply(rows, targets[learned], head, chunk_logits, *own)
    return LossSum(total, len(rows))


class _ChunkedLoss(torch.autograd.Function):
    """Forms the gradients in the forward pass, chunk by chunk; the backward pass only scales them."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, targets: Tensor, head: OutputHead, chunk_logits: int, *own: nn.Parameter
    ) -> Tensor:
        wants_hidden, wants = ctx.needs_input_grad[0], ctx.needs_input_grad[4:]
        trained = [parameter for parameter, needed in zip(own, wants, strict=True) if needed]
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        # Sums in float32 for bfloat16 parameters too, so that the number of chunks does not show.
        sums = [torch.zeros_like(parameter, dtype=torch.float32) for parameter in trained]
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        rows = max(1, chunk_logits // head.vocabulary)
        for start in range(0, len(hidden), rows):
            part = hidden[start : start + rows].detach().requires_grad_(wants_hidden)
            leaves = [*([part] if wants_hidden else []), *trained]
            loss, grads = _chunk(part, targets[start : start + rows], head, leaves)
            total += loss
            if grad_hidden is not None:
                grad_hidden[start : start + rows] = grads.pop(0)
            for gathered, grad in zip(sums, grads, strict=True):
                gathered += grad
        ctx.gradients = grad_hidden, wants, sums, [parameter.dtype for parameter in trained]
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, wants, sums, kinds = ctx.gradients
        own = iter((gathered * upstream).to(kind) for gathered, kind in zip(sums, kinds, strict=True))
        scaled = None if grad_hidden is None else grad_hidden * upstream.to(grad_hidden.dtype)
        return scaled, None, None, None, *(next(own) if needed else None for needed in wants)


def _chunk(
    part: Float[Tensor, "n d"], targets: Int64[Tensor, "n"], head: OutputHead, leaves: list[Tensor]
) -> tuple[Float32[Tensor, ""], list[Tensor]]:
    """Loss of a chunk and its gradients for `leaves`, with two arrays of logits at most."""
    with torch.set_grad_enabled(bool(leaves)):
        logits = head(part)
    scores = logits.detach().float()
    highest = scores.amax(1, keepdim=True)
    of_target = scores.gather(1, targets[:, None])
    odds = (scores - highest).exp_()
    del scores
    total = odds.sum(1, keepdim=True)
    loss = (total.log() + highest - of_target).sum()
    if not leaves:
        return loss, []
    # The gradient of the logits: probabilities, less one for the target.
    odds /= total
    odds.scatter_add_(1, targets[:, None], odds.new_full((len(odds), 1), -1.0))
    return loss, list(torch.autograd.grad(logits, leaves, odds.to(logits.dtype)))
