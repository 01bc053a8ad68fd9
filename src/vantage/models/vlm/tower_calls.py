"""A call of a vision tower, a picture at a time: its inputs apart, what the model reads of its output, and
the output put together again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from vantage.core.errors import ContractError
from vantage.core.hashing import canonical_json
from vantage.models.families import Family
from vantage.models.state_file import digest_tensors

States = dict[str, Tensor]
"""What a model reads of its tower for one picture, by name."""


@dataclass(frozen=True)
class Call:
    """What a tower is called with, by name: for all pictures of a batch, or for one alone."""

    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    def key(self) -> str:
        """Digest of the picture as the tower is given it: its bytes, their type and shape, mask and grid."""
        own = {name: value.detach().cpu() for name, value in self.tensors.items()}
        return digest_tensors(canonical_json(dict(self.settings)), own)

    def run(self, forward: Callable[..., Any]) -> Any:
        """The tower's output, of its own forward."""
        return forward(**self.tensors, **self.settings)


class TowerCalls:
    """Towers that give (pictures, rows, width), as all do but Qwen's.

    Args:
        family, model: whose tower it is.
    """

    pixels = "pixel_values"
    divisible: tuple[str, ...] = ("pixel_values", "patch_attention_mask")

    def __init__(self, family: Family, model: nn.Module) -> None:
        self.family, self.model = family, model
        self.tower: Any = family.tower(model)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the states that are kept of a picture."""
        return tuple(f"hidden.{layer}" for layer in self.family.hidden_states(self.model)) or ("last",)

    def call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        """A call of the tower; `ContractError` for an input that is not known to belong to a picture."""
        named = {**({self.pixels: args[0]} if args else {}), **kwargs}
        tensors = {name: value for name, value in named.items() if isinstance(value, Tensor)}
        rest = {name: value for name, value in named.items() if name not in tensors and value is not None}
        plain = all(isinstance(value, bool | int | float | str | list | tuple) for value in rest.values())
        known = self.pixels in tensors and set(tensors) <= set(self.divisible)
        if len(args) > 1 or not known or not plain:
            raise ContractError(
                "this tower is called with more than pictures", where=type(self.tower).__name__,
                expected=", ".join(self.divisible), found=", ".join(named),
                hint="set finetune.vlm.cache_features to false",
            )  # fmt: skip
        return Call(tensors, rest)

    def alone(self, call: Call) -> list[Call]:
        """The same call for each picture alone."""
        count = len(call.tensors[self.pixels])
        return [
            Call({name: value[k : k + 1] for name, value in call.tensors.items()}, call.settings)
            for k in range(count)
        ]

    def together(self, pictures: Sequence[Call]) -> Call:
        """One call for some pictures of one call."""
        first = pictures[0]
        joined = {name: torch.cat([own.tensors[name] for own in pictures]) for name in first.tensors}
        return Call(joined, first.settings)

    def apart(self, call: Call, states: States) -> list[States]:
        """The states of each picture of a call."""
        count = len(call.tensors[self.pixels])
        return [{name: value[k : k + 1] for name, value in states.items()} for k in range(count)]

    def states(self, call: Call, forward: Callable[..., Any]) -> States:
        """What the model reads of the tower's output."""
        output = call.run(forward)
        layers = self.family.hidden_states(self.model)
        if not layers:
            return {"last": output.last_hidden_state}
        return {f"hidden.{layer}": output.hidden_states[layer] for layer in layers}

    def joined(self, call: Call, pictures: Sequence[States]) -> Any:
        """The tower's output for all pictures; a state that no model of the family reads is None."""
        whole = {name: torch.cat([own[name] for own in pictures]) for name in self.kept}
        hidden: list[Tensor | None] = [None] * (int(self.tower.config.num_hidden_layers) + 1)
        for layer in self.family.hidden_states(self.model):
            hidden[layer] = whole[f"hidden.{layer}"]
        return BaseModelOutputWithPooling(
            last_hidden_state=whole.get("last"),
            hidden_states=tuple(hidden),
        )


class RowCalls(TowerCalls):
    """Qwen's towers: the rows of all pictures one after another, and mergers inside of the tower.

    The mergers are trained, so what is kept is what they are given; they run in every pass.
    """

    pixels = "hidden_states"
    divisible = ("hidden_states", "grid_thw")

    @property
    def kept(self) -> tuple[str, ...]:
        """The input of each merger."""
        return tuple(self.family.projectors(self.model))

    def alone(self, call: Call) -> list[Call]:
        """The rows of each picture with its grid."""
        grids = call.tensors["grid_thw"]
        rows = torch.split(call.tensors[self.pixels], grids.prod(-1).tolist())
        return [
            Call({self.pixels: own, "grid_thw": grids[k : k + 1]}, call.settings)
            for k, own in enumerate(rows)
        ]

    def apart(self, call: Call, states: States) -> list[States]:
        """The rows of each picture."""
        sizes = call.tensors["grid_thw"].prod(-1).tolist()
        rows = {name: torch.split(value, sizes) for name, value in states.items()}
        return [{name: own[k] for name, own in rows.items()} for k in range(len(sizes))]

    def states(self, call: Call, forward: Callable[..., Any]) -> States:
        """What the mergers are given; they themselves, and what is hooked to them, hear nothing of it."""
        found: States = {}
        with self._listening(found):
            call.run(forward)
        return found

    def joined(self, call: Call, pictures: Sequence[States]) -> Any:
        """As the tower puts it: merged and, where it has windows, back in raster order."""
        whole = {name: torch.cat([own[name] for own in pictures]) for name in self.kept}
        mergers = self.family.projectors(self.model)
        merged = mergers["projector"](whole["projector"])
        rest = [merger(whole[name]) for name, merger in mergers.items() if name != "projector"]
        order, first = [], 0
        for grid in self.family.shown(self.model, (), call.tensors).grids:
            own = self.family.tower_order(self.model, grid)  # type: ignore[attr-defined]
            order.append(own + first)
            first += len(own)
        merged = merged[torch.argsort(torch.cat(order)).to(merged.device)]
        return SimpleNamespace(
            last_hidden_state=whole["projector"], pooler_output=merged, deepstack_features=rest
        )

    @contextmanager
    def _listening(self, found: States) -> Iterator[None]:
        """Stand-ins in the mergers' places that note what they are given."""
        mergers = {id(merger): name for name, merger in self.family.projectors(self.model).items()}
        places = [
            (owner, child, module)
            for owner in self.tower.modules()
            for child, module in owner.named_children()
            if id(module) in mergers
        ]
        try:
            for owner, child, module in places:
                owner._modules[child] = _Listener(found, mergers[id(module)])
            yield
        finally:
            for owner, child, module in places:
                owner._modules[child] = module


class _Listener(nn.Module):
    def __init__(self, found: States, name: str) -> None:
        super().__init__()
        self.found, self.name = found, name

    def forward(self, rows: Tensor) -> Tensor:
        """The rows as they are."""
        self.found[self.name] = rows
        return rows


@contextmanager
def standing_in(tower: Any, answer: Callable[..., Any]) -> Iterator[None]:
    """Calls of a tower in the passes made inside go to `answer`, with its own forward before their arguments.

    Its hooks are called as ever.
    """
    inner: Callable[..., Any] = tower.forward
    own = vars(tower).get("forward")  # of somebody else who stands in for the class's

    def forward(*args: Any, **kwargs: Any) -> Any:
        return answer(inner, args, kwargs)

    tower.forward = forward
    try:
        yield
    finally:
        if own is None:
            del tower.forward
        else:
            tower.forward = own


def tower_calls(family: Family, model: nn.Module) -> TowerCalls:
    """The kind that a family's towers are called in."""
    return (RowCalls if family.order == "merge_blocks" else TowerCalls)(family, model)
