"""Places in the plane as two independent Gaussians, with the variance predicted."""

from __future__ import annotations

from typing import Any, Final

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

LOG_VARIANCES: Final = (-7.0, 7.0)
"""Predicted log variances are cut to these: deviations of 3 cm to 33 m."""


class _Clamp(torch.autograd.Function):
    """Cuts to `LOG_VARIANCES`; beyond them a gradient still passes where it leads back inside.

    A plain clamp has none there: a deviation that once fell below its bound could never grow again.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        ctx.save_for_backward(value)
        return value.clamp(*LOG_VARIANCES)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (value,), (grad,) = ctx.saved_tensors, grads
        low, high = LOG_VARIANCES
        outwards = ((value < low) & (grad > 0)) | ((value > high) & (grad < 0))
        return grad.masked_fill(outwards, 0.0)


def clamped_log_variances(raw: Float[Tensor, "*n 4"]) -> Float32[Tensor, "*n 2"]:
    """Log variances (m²) of a head's output (x, y, log variance of x, of y), cut to `LOG_VARIANCES`."""
    cut: Tensor = _Clamp.apply(raw[..., 2:].float())  # type: ignore[no-untyped-call]
    return cut


def gaussian_nll(
    raw: Float[Tensor, "n 4"], xy: Float[Tensor, "n 2"], known: Bool[Tensor, "n"]
) -> Float32[Tensor, "n"]:
    """1/2 [dx² / var x + log var x + dy² / var y + log var y] of each row, in float32; 0 where not known.

    The constant log 2 pi is left out, as published.

    Args:
        raw: a head's output: x, y (m), log variances.
        xy: where it is, metres; whatever where it is not known, NaN too.
        known: rows that count.
    """
    with torch.autocast(raw.device.type, enabled=False):
        log_variance = clamped_log_variances(raw)
        # Cut out before any sum: NaN times zero is NaN, in the gradient too.
        off = torch.where(known[:, None], raw[:, :2].float() - xy.float(), 0.0)
        loss = 0.5 * (off.square() * torch.exp(-log_variance) + log_variance).sum(1)
        return torch.where(known, loss, 0.0)
