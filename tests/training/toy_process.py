"""The toy trained in processes of its own, as a person would start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

SCRIPT = Path(__file__).with_name("toy.py")
SHARDED = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "Linear",
}


def command(folder: Path, settings: dict[str, Any], processes: int = 1) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    many = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    return [sys.executable, *(many if processes > 1 else []), str(SCRIPT), str(folder), json.dumps(settings)]


def environment(**extra: str) -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""} | extra


def toy(
    folder: Path, settings: dict[str, Any], processes: int = 1, **extra: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, settings, processes), env=environment(**extra), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "rank0.json").read_text())
    return found


def trained(folder: Path) -> np.ndarray:
    """All trained numbers in one row."""
    parts = result(folder)["tensors"]
    return np.concatenate([np.frombuffer(bytes.fromhex(parts[name]), np.float32) for name in sorted(parts)])
