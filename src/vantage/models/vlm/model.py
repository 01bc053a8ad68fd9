"""A stock vision-language model that learns where things are: base, 3D position embedding, adapters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from vantage.core.seeds import priority
from vantage.models.families import Family, family_of
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.vlm.batch import NOT_LEARNED, Batch
from vantage.models.vlm.tuning import LoraSettings, Tune, add_lora, select


@dataclass(frozen=True)
class Rates:
    """Peak learning rates of what is trained.

    Attributes:
        projector: modules between tower and decoder.
        position: the 3D position encoder.
        decoder: its weights or their adapters.
        tower: the vision tower.
    """

    projector: Annotated[float, Gt(0)] = 1e-4
    position: Annotated[float, Gt(0)] = 1e-3
    decoder: Annotated[float, Gt(0)] = 1e-5
    tower: Annotated[float, Gt(0)] = 2e-6


@dataclass(frozen=True)
class VlmConfig:
    """What is added to a stock model, and what of it is trained.

    Attributes:
        injection: where coordinates enter; None: nowhere.
        tune: see `vantage.models.vlm.tuning.Tune`.
        tower: whether the vision tower is trained too.
        lora: the adapters of `tune: lora`.
        rates: learning rates.
    """

    injection: InjectionConfig | None = field(default_factory=InjectionConfig)
    tune: Tune = "projector"
    tower: bool = False
    lora: LoraSettings = field(default_factory=LoraSettings)
    rates: Rates = field(default_factory=Rates)


class SpatialVlm(nn.Module):
    """The model of a recipe. Submodules: `base`, and `encoder` where coordinates enter.

    Args:
        base: of a supported family; it is frozen here except for what `config` names.
        config: what is added and trained.
        seed: of everything new.
    """

    def __init__(self, base: nn.Module, config: VlmConfig, seed: int) -> None:
        super().__init__()
        self.base: Any = base
        self.config = config
        self.family: Family = family_of(base)
        select(base, self.family, config.tune, config.tower)
        self.lora: Any = None
        if config.tune == "lora":
            # Held aside: its modules are the base's own already.
            lora = add_lora(base, self.family, config.lora, _seed(seed, "adapters"))
            object.__setattr__(self, "lora", lora)
        self.injector: Injector | None = None
        self.encoder: nn.Module | None = None
        if config.injection is not None:
            injector = Injector.fresh(base, config.injection, _seed(seed, "position encoder"), self.family)
            self.injector, self.encoder = injector, injector.encoder
        self._rates = self._all_rates()

    def trained(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name, in a fixed order."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def rate(self, name: str) -> float:
        """Peak learning rate of a trained parameter."""
        return self._rates[name]

    def bound(self, batch: Batch) -> AbstractContextManager[None]:
        """One pass with the batch's points bound to it."""
        return nullcontext() if self.injector is None else self.injector.bind(batch.geometry)

    def hidden(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The decoder's last hidden states; the batch's points are bound for the pass."""
        with self.bound(batch):
            found: Tensor = self.base.model(**batch.inputs, use_cache=False).last_hidden_state
        return found

    def logits(self, batch: Batch) -> Float[Tensor, "b t v"]:
        """Logits of every token."""
        with self.bound(batch):
            found: Tensor = self.base(**batch.inputs, use_cache=False).logits
        return found

    def forward(self, batch: Batch) -> Tensor:
        """Mean cross entropy of the learned tokens."""
        hidden = self.hidden(batch)[:, :-1]
        labels = batch.labels[:, 1:]
        chosen = labels != NOT_LEARNED
        logits = self.base.get_output_embeddings()(hidden[chosen])
        loss: Tensor = nn.functional.cross_entropy(logits.float(), labels[chosen])
        return loss

    def merge(self) -> None:
        """Fold adapters into the decoder's weights; afterwards the base is a stock model again."""
        if self.lora is not None:
            self.lora.merge_and_unload()
            object.__setattr__(self, "lora", None)

    def _all_rates(self) -> dict[str, float]:
        """By name: the name outlives what a wrapper makes of the parameter."""
        rates, base = self.config.rates, self.base
        by_part = (
            (rates.tower, [self.family.tower(base)]),
            (rates.projector, list(self.family.projectors(base).values())),
            (rates.decoder, [self.family.decoder(base), base.get_output_embeddings()]),
            (rates.position, [self.encoder]),
        )
        own = {
            id(parameter): rate
            for rate, parts in by_part
            for part in parts
            if part is not None
            for parameter in part.parameters()
        }
        return {name: own[id(p)] for name, p in self.trained().items()}


def _seed(seed: int, what: str) -> int:
    return priority(seed, what) % 2**63


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode and without gradients inside."""
    before = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(before)
