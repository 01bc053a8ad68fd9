"""What of a stock model is trained, and how fast: the projector, adapters in the decoder, or all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from torch import nn

from vantage.core.errors import ContractError
from vantage.models.drawing import drawn_from
from vantage.models.families import Family

Tune = Literal["projector", "lora", "full"]
"""`projector`: what stands between tower and decoder. `lora`: that, and low-rank adapters in the decoder.
`full`: that, and the whole decoder with its head. The vision tower stays frozen unless asked for."""


@dataclass(frozen=True)
class LoraSettings:
    """Low-rank adapters on every linear layer of the decoder; its head and embeddings have none.

    Attributes:
        rank: of the two factors.
        alpha: the update is scaled by alpha / rank.
        dropout: on the adapters' input while training.
    """

    rank: Annotated[int, Gt(0)] = 32
    alpha: Annotated[float, Gt(0)] = 64.0
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.05


def select(model: Any, family: Family, tune: Tune, tower: bool = False) -> None:
    """Freeze all of a stock model but what `tune` names (adapters are added by `add_lora`)."""
    model.requires_grad_(False)
    parts = list(family.projectors(model).values())
    if tune == "full":
        parts.append(family.decoder(model))
        head = model.get_output_embeddings()
        parts += [] if head is None else [head]
    if tower:
        parts.append(family.tower(model))
    for part in parts:
        part.requires_grad_(True)


def add_lora(model: nn.Module, family: Family, settings: LoraSettings, seed: int) -> Any:
    """Put adapters into the decoder, drawn from `seed`; the model answers as before until they are trained.

    Returns peft's `LoraModel`, whose `merge_and_unload` folds them into the decoder's own weights.
    """
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    decoder = family.decoder(model)
    requires = [(p, p.requires_grad) for p in model.parameters()]
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, bias="none",
        target_modules=linear_layers(decoder),
    )  # fmt: skip
    with drawn_from(seed):
        lora = LoraModel(decoder, {"default": config}, "default")
    # peft freezes everything it finds in the decoder; what was chosen before stays chosen.
    for parameter, wanted in requires:
        parameter.requires_grad_(wanted)
    return lora


def linear_layers(decoder: nn.Module) -> list[str]:
    """Names of the decoder's linear layers; `ContractError` when there is none to adapt."""
    found = [name for name, module in decoder.named_modules() if isinstance(module, nn.Linear)]
    if not found:
        raise ContractError("no linear layer to adapt", where=type(decoder).__name__)
    return found
