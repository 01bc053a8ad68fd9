"""Checkpoints of a run in training: trained tensors, optimiser, losses; one file, whole or not there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vantage.core import atomic
from vantage.core.errors import ContractError, ResourceError
from vantage.models.state_file import digest_tensors
from vantage.training.protocols import Trainable

LAST, BEST = "last.safetensors", "best.safetensors"
_TRAINED, _OPTIMISER = "trained.", "optimiser."
_FORMAT = "vantage training 1"


@dataclass(frozen=True)
class State:
    """Where a run is.

    Attributes:
        key: digest of everything that the run's bytes follow from.
        losses: of every step so far.
        validation: (steps done, validation loss) so far.
        tensors: trained tensors and the optimiser's, by name, whole and on the CPU.
    """

    key: str
    losses: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    tensors: Mapping[str, Tensor] = field(default_factory=dict)


def capture(model: Trainable, optimiser: Any) -> dict[str, Tensor]:
    """What `restore` needs. Every process must call it: sharded tensors are gathered."""
    tensors = {}
    for name, parameter in model.trained().items():
        tensors[_TRAINED + name] = _whole(parameter.detach())
        for key, value in _inner(optimiser).state.get(parameter, {}).items():
            tensors[f"{_OPTIMISER}{name}:{key}"] = _whole(value)
    return tensors


def restore(model: Trainable, optimiser: Any, tensors: Mapping[str, Tensor], where: Path) -> None:
    """Put parameters and optimiser back, sharded as the model is now; None as optimiser leaves it alone.

    Raises:
        ContractError: the tensors are not those of this model.
    """
    trained = model.trained()
    names = {k.removeprefix(_TRAINED) for k in tensors if k.startswith(_TRAINED)}
    if names != set(trained):
        raise ContractError(
            "a checkpoint holds other parameters than the model trains", where=where,
            expected=sorted(set(trained) - names)[:3] or "no more", found=sorted(names - set(trained))[:3],
        )  # fmt: skip
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(_like(tensors[_TRAINED + name], parameter))
    if optimiser is None:
        return
    state = _inner(optimiser).state
    for name, value in tensors.items():
        if name.startswith(_OPTIMISER):
            owner_name, key = name.removeprefix(_OPTIMISER).rsplit(":", 1)
            owner = trained[owner_name]
            # AdamW counts its steps on the CPU; all else lies where the parameter does.
            state[owner][key] = (value if key == "step" else _like(value, owner)).clone()


def write(path: Path, state: State) -> None:
    """Write a checkpoint; one that was there stays if this fails.

    Raises:
        ResourceError: it could not be written (a full disk, a quota, a limit on file sizes).
    """
    tensors = {name: value.contiguous() for name, value in state.tensors.items()}
    said = json.dumps({"key": state.key, "losses": state.losses, "validation": state.validation})
    described = {"format": _FORMAT, "state": said, "sha256": digest_tensors(said, tensors)}
    try:
        with atomic.writing(path) as beside:
            save_file(tensors, beside, described)
    except (OSError, SafetensorError) as error:
        kept = f"; that of an earlier step is kept: {path}" if path.is_file() else ""
        raise ResourceError(
            f"the checkpoint of step {len(state.losses)} could not be written", where=path, found=error,
            hint=f"free space (about {2 * _size(tensors) / 1e6:.0f} MB) and run the same command again{kept}",
        ) from error  # fmt: skip


def read(path: Path) -> State:
    """Read a checkpoint.

    Raises:
        ContractError: it is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            described = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        said, written, kind = described["state"], described["sha256"], described["format"]
        found = digest_tensors(said, tensors)
    except (OSError, SafetensorError, KeyError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if written != found or kind != _FORMAT:
        raise _damaged(path, "other bytes than were written")
    state = json.loads(said)
    validation = [(int(step), float(loss)) for step, loss in state["validation"]]
    return State(state["key"], state["losses"], validation, tensors)


def _damaged(path: Path, found: str) -> ContractError:
    return ContractError(
        "a checkpoint is damaged", where=path, found=found,
        hint="remove this file, or set finetune.resume to false, to train anew from the first step",
    )  # fmt: skip


def _size(tensors: Mapping[str, Tensor]) -> int:
    return sum(value.nbytes for value in tensors.values())


def _inner(optimiser: Any) -> Any:
    return getattr(optimiser, "optimizer", optimiser)  # accelerate's wrapper


def _whole(value: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor

    value = value.full_tensor() if isinstance(value, DTensor) else value
    # A copy: two parameters may share memory, and training goes on.
    return value.detach().to("cpu", copy=True).contiguous()


def _like(value: Tensor, owner: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor, distribute_tensor

    value = value.to(owner.device)
    if isinstance(owner, DTensor):
        return distribute_tensor(value, owner.device_mesh, owner.placements)
    return value
