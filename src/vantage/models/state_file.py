"""Tensors in safetensors files: compared with what they are to replace, and with what was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from vantage.core.errors import ContractError


def read_state(path: Path, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file, which must be those of `ours` by name and shape.

    Raises `ContractError` for a file that is missing or damaged, and for a tensor that is missing, unknown or
    of another shape.
    """
    if not path.is_file():
        raise ContractError("a model file is missing", where=path, hint="train it again")
    try:
        state = load(path.read_bytes())
    except (
        SafetensorError,
        OSError,
        KeyError,
        ValueError,
        RuntimeError,
    ) as error:  # unknown types among them
        raise ContractError("a file of weights is damaged", where=path, found=error) from error
    for name in sorted(ours.keys() | state.keys()):
        needed, given = (None if name not in s else tuple(s[name].shape) for s in (ours, state))
        if needed != given:
            raise ContractError(
                "a tensor does not fit the model", where=path, expected=f"{name}: {needed or 'none'}",
                found=given or "none",
            )  # fmt: skip
        if (
            ours[name].is_floating_point() != state[name].is_floating_point()
            or not state[name].isfinite().all()
        ):
            raise ContractError(
                "a tensor does not fit the model", where=path, expected=f"{name}: finite {ours[name].dtype}",
                found=f"{state[name].dtype}, or not finite",
            )  # fmt: skip
    return state


def digest_tensors(said: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a text and of named tensors on the CPU: names, types, shapes and bytes."""
    state = hashlib.sha256(said.encode())
    for name, value in sorted(tensors.items()):
        state.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        state.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
