"""Where a model that answers is put."""

from __future__ import annotations

import torch


def best_device() -> str:
    """PyTorch's name of the GPU where there is one, else of the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
