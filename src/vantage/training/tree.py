"""What is trained and what is frozen, as a table of a model's parts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from vantage.core.errors import ContractError
from vantage.training.protocols import Trainable


@dataclass(frozen=True)
class Part:
    """A part of a model that is wholly trained or wholly frozen.

    Attributes:
        name: of the module; `*` stands for the number of a layer.
        tensors: how many parameters it has.
        trained, frozen: how many numbers they hold.
    """

    name: str
    tensors: int
    trained: int
    frozen: int


def parameter_tree(model: Trainable) -> list[Part]:
    """The largest parts of a model that are of one kind, layers of a stack taken together.

    Raises:
        ContractError: nothing is trained, or a parameter requires a gradient that no optimiser will use.
    """
    assert isinstance(model, nn.Module)
    trained = {id(p) for p in model.trained().values()}
    if not trained:
        raise ContractError("nothing of the model is trained", where=type(model).__name__)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad != (id(parameter) in trained):
            raise ContractError(
                "a parameter is not what the model says it is", where=f"{type(model).__name__}: {name}",
                expected="a gradient for those in `trained()`, and for no other",
                found=f"requires_grad={parameter.requires_grad}",
            )  # fmt: skip
    found: dict[str, Part] = {}
    seen: set[int] = set()
    _collect(model, "", trained, seen, found)
    return list(found.values())


def tree_text(parts: Sequence[Part]) -> list[str]:
    """The table in lines, the sum last."""
    total = Part("all", *(sum(getattr(p, f) for p in parts) for f in ("tensors", "trained", "frozen")))
    rows = [("part", "tensors", "trained", "frozen")]
    rows += [(p.name, f"{p.tensors:,}", f"{p.trained:,}", f"{p.frozen:,}") for p in (*parts, total)]
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    lines = []
    for name, *counts in rows:
        cells = [cell.rjust(width) for cell, width in zip(counts, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *cells]))
    return lines


def _collect(module: nn.Module, name: str, trained: set[int], seen: set[int], found: dict[str, Part]) -> None:
    own = [p for p in module.parameters() if id(p) not in seen]
    kinds = {id(p) in trained for p in own}
    if not own:
        return
    if len(kinds) == 1 and name:
        _add(found, name, own, kinds.pop(), seen)
        return
    for kind in (True, False):  # parameters of the module itself
        direct = [
            p for p in module.parameters(recurse=False) if (id(p) in trained) is kind and id(p) not in seen
        ]
        if direct:
            _add(found, f"{name}.(own)".lstrip("."), direct, kind, seen)
    for child, inner in module.named_children():
        _collect(inner, f"{name}.{child}".lstrip("."), trained, seen, found)


def _add(
    found: dict[str, Part], name: str, parameters: Sequence[nn.Parameter], kind: bool, seen: set[int]
) -> None:
    pattern = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", name)
    key = f"{pattern} {kind}"
    before = found.get(key, Part(pattern, 0, 0, 0))
    numbers = sum(p.numel() for p in parameters)
    found[key] = Part(
        pattern,
        before.tensors + len(parameters),
        before.trained + (numbers if kind else 0),
        before.frozen + (0 if kind else numbers),
    )
    seen.update(id(p) for p in parameters)
