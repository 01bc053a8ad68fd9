"""The GPU, where there is one, and what is said when it is too small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vantage.core.errors import ResourceError


def best_device() -> str:
    """PyTorch's name of the GPU where there is one, else of the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def gpu_memory(where: str, hint: str) -> Iterator[None]:
    """Raise `ResourceError` with `hint` where a GPU's memory does not suffice for what is done inside."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        found = str(error).partition("\n")[0][:200]
        raise ResourceError("the GPU's memory is too small", where=where, found=found, hint=hint) from error
