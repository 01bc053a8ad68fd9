"""A stock vision-language model that learns where things are: base, 3D position embedding, adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Gt
from jaxtyping import Float
from torch import Tensor, nn

from vantage.core.errors import ParameterError
from vantage.core.seeds import priority
from vantage.models.families import Family, family_of
from vantage.models.injector import InjectionConfig, Injector
from vantage.models.losses import Losses
from vantage.models.situated import PlaceEstimate, Situated, SituatedConfig, SituatedTokens
from vantage.models.vlm.batch import Batch, Head, plain_head, situated_head
from vantage.models.vlm.cross_entropy import next_token_loss
from vantage.models.vlm.head import last_hidden, output_head
from vantage.models.vlm.tower_cache import TowerCache
from vantage.models.vlm.tuning import LoraSettings, Tune, add_lora, select


@dataclass(frozen=True)
class Rates:
    """Peak learning rates of what is trained.

    Attributes:
        projector: modules between tower and decoder.
        position: the 3D position encoder.
        decoder: its weights or their adapters.
        tower: the vision tower.
        situated: tokens, camera network and heads of a situated model.
    """

    projector: Annotated[float, Gt(0)] = 1e-4
    position: Annotated[float, Gt(0)] = 1e-3
    decoder: Annotated[float, Gt(0)] = 1e-5
    tower: Annotated[float, Gt(0)] = 2e-6
    situated: Annotated[float, Gt(0)] = 1e-4


@dataclass(frozen=True)
class VlmConfig:
    """What is added to a stock model, and what of it is trained.

    Attributes:
        injection: where coordinates enter; None: nowhere.
        tune: see `vantage.models.vlm.tuning.Tune`.
        tower: whether the vision tower is trained too.
        lora: the adapters of `tune: lora`.
        situated: layout and situation modelling; None: none.
        rates: learning rates.
    """

    injection: InjectionConfig | None = field(default_factory=InjectionConfig)
    tune: Tune = "projector"
    tower: bool = False
    lora: LoraSettings = field(default_factory=LoraSettings)
    situated: SituatedConfig | None = None
    rates: Rates = field(default_factory=Rates)

    def __post_init__(self) -> None:
        if self.tower and self.tune == "projector":
            raise ParameterError(
                "the tower is trained together with the decoder only", where="tower, tune",
                expected="tune: lora or full", found=f"tune: {self.tune}",
            )  # fmt: skip
        if self.injection and self.situated and self.injection.frame != self.situated.frame:
            raise ParameterError(
                "coordinates and places in two frames", where="injection.frame, situated.frame",
                expected="one frame", found=f"{self.injection.frame}, {self.situated.frame}",
            )  # fmt: skip

    @property
    def head(self) -> Head:
        """What a prompt begins with."""
        return plain_head if self.situated is None else situated_head


class SpatialVlm(nn.Module):
    """The model of a recipe. Submodules: `base`, `encoder` where coordinates enter, `situated` if it is that.

    Args:
        base: of a supported family; it is frozen here except for what `config` names.
        config: what is added and trained.
        seed: of everything new.
        tokens: of a situated model's tokenizer, see `vantage.models.situated.add_tokens`.

    Raises:
        ParameterError: a situated model without its tokens.
    """

    def __init__(
        self, base: nn.Module, config: VlmConfig, seed: int, tokens: SituatedTokens | None = None
    ) -> None:
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
        self.situated: Situated | None = None
        if config.situated is not None:
            if tokens is None:
                raise ParameterError(
                    "a situated model needs the ids of its tokens", expected="tokens", found="none",
                    hint="add them to the tokenizer with vantage.models.situated.add_tokens",
                )  # fmt: skip
            self.situated = Situated(base, tokens, config.situated, _seed(seed, "situated"))
        self.features: TowerCache | None = None
        self._held: torch.dtype | None = None
        self._rates = self._all_rates()

    def keep_features(self, base: str, folder: Path, say: Callable[[str], None] = lambda _line: None) -> None:
        """From now on compute the frozen tower's features once for each picture, and keep them in `folder`.

        Arguments and errors are `TowerCache`'s.
        """
        self.features = TowerCache(self.base, self.family, self.config.injection, base, folder, say)

    def train_in_float32(self) -> None:
        """Hold in float32 what is trained, whatever the base is held in; passes run under autocast then.

        In bfloat16 neighbouring numbers lie further apart than what a step of these rates adds: most of what
        is learned would be rounded away.
        """
        kinds = {parameter.dtype for parameter in self.base.parameters()} - {torch.float32}
        if not kinds:
            return
        (self._held,) = kinds
        for parameter in self.trained().values():
            parameter.data = parameter.data.float()

    @contextmanager
    def mixed(self) -> Iterator[None]:
        """Passes of a model that is held in two precisions; nothing changes for any other."""
        if self._held is None:
            yield
            return
        held = self._held
        # Some models put a frozen part's features among their words, which have to be of one precision.
        words = self.base.get_input_embeddings().register_forward_hook(lambda _m, _a, rows: rows.to(held))
        try:
            with torch.autocast(self.base.device.type, held):
                yield
        finally:
            words.remove()

    def trained(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name, in a fixed order."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def rate(self, name: str) -> float:
        """Peak learning rate of a trained parameter."""
        return self._rates[name]

    def checkpoint_gradients(self) -> None:
        """Compute activations again in the backward pass instead of keeping them."""
        self.base.gradient_checkpointing_enable({"use_reentrant": False})

    @contextmanager
    def bound(self, batch: Batch) -> Iterator[None]:
        """One pass with the batch's points and cameras bound to it."""
        with ExitStack() as stack:
            stack.enter_context(self.mixed())
            if self.features is not None:
                stack.enter_context(self.features.serve())
            if self.injector is not None:
                stack.enter_context(self.injector.bind(batch.geometry))
            if self.situated is not None:
                stack.enter_context(self.situated.bind(batch.seen_from, batch.draw))
            yield

    def hidden(self, batch: Batch) -> Float[Tensor, "b t d"]:
        """The decoder's last hidden states; the batch's points and cameras are bound for the pass."""
        with self.bound(batch):
            return last_hidden(self.base, batch.inputs)

    def logits(self, batch: Batch) -> Float[Tensor, "b t v"]:
        """Logits of every token."""
        hidden = self.hidden(batch)
        with self.mixed():
            found: Tensor = output_head(self.base)(hidden)
        return found

    def forward(self, batch: Batch) -> Losses:
        """The mean cross entropy of the learned tokens, and what a situated model learns besides."""
        batch = batch.to(self.base.device)
        hidden = self.hidden(batch)
        with self.mixed():
            words = next_token_loss(hidden, batch.labels, output_head(self.base))
        mean = words.total / max(1, words.tokens)
        if self.situated is None:
            return Losses(mean, words.tokens)
        more = self.situated.losses(hidden, batch.inputs, batch.geometry, batch.places)
        total = mean + self.situated.weighted(more)
        return Losses(
            total, words.tokens, {"words": mean.detach()} | {k: v.detach() for k, v in more.items()}
        )

    @torch.no_grad()
    def places(self, batch: Batch) -> list[PlaceEstimate]:
        """Where a situated model takes the asker of each row to stand and look, and how sure it is."""
        if self.situated is None:
            raise ParameterError(
                "this model tells no place", expected="a situated model", found=self.family.name
            )
        batch = batch.to(self.base.device)
        return self.situated.read(self.hidden(batch), batch.inputs["input_ids"])

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
            (rates.situated, [self.situated]),
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
