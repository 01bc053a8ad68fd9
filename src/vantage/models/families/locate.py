"""Finding a model's parts by name, however deeply wrappers have buried them."""

from __future__ import annotations

from torch import nn

from vantage.core.errors import ContractError


def locate(model: nn.Module, suffix: str) -> nn.Module:
    """The one module whose dotted name ends in `suffix`.

    Raises `ContractError` unless there is exactly one: a hook on the wrong module would go unnoticed.
    """
    found: dict[str, nn.Module] = {
        name: module
        for name, module in model.named_modules()
        if name == suffix or name.endswith("." + suffix)
    }
    if len(found) != 1:
        raise ContractError(
            "this model is not built as its family is", where=type(model).__name__,
            expected=f"exactly one module named {suffix}", found=", ".join(found) or "none",
            hint="check the transformers version against the range in pyproject.toml",
        )  # fmt: skip
    return next(iter(found.values()))
