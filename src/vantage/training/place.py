"""Where training runs: one process or many, in which precision, on how many threads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

import torch
from accelerate import Accelerator
from accelerate.utils import (
    DistributedDataParallelKwargs,
    GradientAccumulationPlugin,
    InitProcessGroupKwargs,
)

from vantage.core.errors import ParameterError
from vantage.training.protocols import Recomputes, Trainable

Precision = Literal["auto", "bf16", "fp32"]
_PATIENCE_S = 600.0  # torch's own between GPUs


def use_bf16(precision: Precision) -> bool:
    """Whether to run in bfloat16; `auto` does on processors that multiply it natively."""
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported())


@contextmanager
def threads(count: int) -> Iterator[None]:
    """torch on `count` threads inside; sums depend on it, so results are only equal for equal counts."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def accelerator() -> Accelerator:
    """accelerate as its launcher (or torch's) started this process: alone, one of many, sharded or not.

    Precision, accumulation and compilation are the loop's own, whatever the launcher's settings say: they
    must weigh by learned tokens and be the same bytes for a process alone.

    Raises `ParameterError` as `require_known_launch` does, and for more processes on this machine than GPUs.
    """
    require_known_launch()
    gpus_here, processes = torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if 0 < gpus_here < processes:
        raise ParameterError(
            "more processes on a machine than GPUs", where="finetune.processes",
            expected=f"{gpus_here} at most", found=processes,
            hint='hide the GPUs (CUDA_VISIBLE_DEVICES="") to train on the CPU',
        )  # fmt: skip
    count = torch.get_num_threads()
    # A recipe's head may have nothing to learn from a batch.
    spread = DistributedDataParallelKwargs(find_unused_parameters=True)
    waits = InitProcessGroupKwargs(timeout=timedelta(seconds=patience_s()))
    made = Accelerator(
        cpu=not torch.cuda.is_available(), mixed_precision="no", dynamo_backend="no",
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        kwargs_handlers=[spread, waits],
    )  # fmt: skip
    torch.set_num_threads(count)  # accelerate sets its own among many processes
    return made


def gpus(place: Accelerator) -> list[torch.device]:
    """The GPU that this process computes on, if it is one: others are other processes'."""
    return [place.device] if place.device.type == "cuda" else []


@contextmanager
def mode(model: Trainable, training: bool) -> Iterator[None]:
    """The model in training or evaluation mode inside, and every part of it as it was after."""
    assert isinstance(model, torch.nn.Module)
    before = [(part, part.training) for part in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for part, was in before:
            part.training = was


def launched() -> bool:
    """Whether a launcher started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def require_known_launch() -> None:
    """Raise `ParameterError` where a launcher asks accelerate for a way to train that the loop does not know.

    Among several processes FSDP has to be the second: the first flattens parameters, so that what is trained
    has no names to save it by.
    """
    for name, tool in (
        ("DEEPSPEED", "DeepSpeed"), ("MEGATRON_LM", "Megatron-LM"), ("PARALLELISM_CONFIG", "parallelism"),
    ):  # fmt: skip
        if _asked_for(f"ACCELERATE_USE_{name}"):
            raise _unknown_launch(f"ACCELERATE_USE_{name}", "DDP or FSDP2", tool)
    version = os.environ.get("FSDP_VERSION", "1")
    if launched() and _asked_for("ACCELERATE_USE_FSDP") and version != "2":
        raise _unknown_launch("FSDP_VERSION", "2 (accelerate launch --fsdp_version 2)", version)


def _asked_for(name: str) -> bool:
    return os.environ.get(name, "false").lower() in ("true", "1")


def _unknown_launch(where: str, expected: str, found: str) -> ParameterError:
    return ParameterError(
        "a launcher asks for a way to train that is not supported", where=f"environment, {where}",
        expected=expected, found=found,
        hint="change accelerate's arguments or configuration, or unset the variable",
    )  # fmt: skip


def patience_s() -> float:
    """Seconds that a process waits for another one; VANTAGE_NODES_TIMEOUT_S sets them."""
    return float(os.environ.get("VANTAGE_NODES_TIMEOUT_S", _PATIENCE_S))


def leave() -> None:
    """End a process that is one of many, successfully; a process alone goes on.

    Not by way of the interpreter's end: threads of torch that still run there abort it now and then.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def recompute(model: Trainable) -> None:
    """Turn gradient checkpointing on.

    Raises:
        ParameterError: the model has none.
    """
    if not isinstance(model, Recomputes):
        raise ParameterError(
            "this model cannot recompute activations", where="finetune.gradient_checkpointing",
            expected="false", found=type(model).__name__,
        )  # fmt: skip
    model.checkpoint_gradients()
