"""Whether to score on a GPU."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

#: Points times poses below which loading PyTorch takes longer than the work.
WORTH_A_GPU = 100_000_000


def gpu_for(work: int) -> str | None:
    """PyTorch's name of the GPU, if there is one and `work` (points times poses) is worth it; else None.

    PyTorch is loaded only where the machine shows a GPU.
    """
    nodes = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
    if work < WORTH_A_GPU or find_spec("torch") is None or not any(Path(node).exists() for node in nodes):
        return None
    import torch

    return "cuda" if torch.cuda.is_available() else None
