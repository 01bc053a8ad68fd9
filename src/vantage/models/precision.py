"""Modules that stay in float32 whatever the model around them is cast to."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class InFloat32(nn.Module):
    """A module that moves between devices with its model but keeps the precision of its parameters."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> InFloat32:
        def keeping_precision(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            if moved.is_floating_point() and moved.dtype != tensor.dtype:
                return tensor.to(moved.device)
            return moved

        super()._apply(keeping_precision, recurse)  # type: ignore[no-untyped-call]
        return self
