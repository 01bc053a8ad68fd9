"""Tensors from a safetensors file, each compared with what it is to replace."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
    except SafetensorError as error:
        raise ContractError("a file of weights is damaged", where=path, found=error) from error
    for name in sorted(ours.keys() | state.keys()):
        needed, given = (None if name not in s else tuple(s[name].shape) for s in (ours, state))
        if needed != given:
            raise ContractError(
                "a tensor does not fit the model", where=path, expected=f"{name}: {needed or 'none'}",
                found=given or "none",
            )  # fmt: skip
    return state
