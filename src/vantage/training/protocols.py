"""What the loop trains, and on what: any model, any source of batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from vantage.core.tracking import OpenRun
from vantage.models.losses import Losses


@runtime_checkable
class Micro(Protocol):
    """What goes through the model at once. The model moves it to its device."""

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """Names of its samples, for messages."""

    @property
    def tokens(self) -> int:
        """Learned tokens: those that the model's loss is the mean of."""


@runtime_checkable
class Trainable(Protocol):
    """A `torch.nn.Module` that knows what of it is trained."""

    def trained(self) -> dict[str, nn.Parameter]:
        """The trained parameters by name, in a fixed order; no other parameter may require a gradient."""

    def rate(self, name: str) -> float:
        """Peak learning rate of a trained parameter."""

    def __call__(self, batch: Any) -> Losses:
        """The losses of a micro batch."""

    def named_parameters(self) -> Any:
        """All parameters by name, as of `torch.nn.Module`."""


@runtime_checkable
class Prepares(Protocol):
    """A model with work to do once, on its device, before the first step (features of a frozen tower)."""

    def prepare(self, tell: Callable[[int, int], None]) -> None:
        """Do it; `tell` hears of units done and units in all."""


@runtime_checkable
class Recomputes(Protocol):
    """A model that can compute activations again in the backward pass instead of keeping them."""

    def checkpoint_gradients(self) -> None:
        """From now on."""


@runtime_checkable
class BatchSource(Protocol):
    """Batches as a pure function of the step, so that resuming needs no state of a sampler."""

    def batch(self, step: int, rank: int, world: int) -> Sequence[Micro]:
        """The micro batches that process `rank` of `world` works on in a step.

        All processes together see the same samples for every `world`; each gets the same number of micro
        batches. May be called by several threads at a time.
        """

    def digest(self) -> str:
        """Digest of everything that batches follow from."""


@runtime_checkable
class Asked(Protocol):
    """Questions that a model is asked at each validation, for those who watch its run."""

    def ask(self, step: int, run: OpenRun) -> None:
        """Ask the model, which is in evaluation mode, after some steps; show what it said up to now."""

    def show(self, steps: int, run: OpenRun) -> None:
        """Show again what it said in the first steps, where a killed run goes on."""


@runtime_checkable
class Measured(Protocol):
    """A source that tells how large its samples are, for an estimate."""

    def lengths(self) -> Sequence[int]:
        """Tokens that each sample takes in the model's context."""

    def smallest(self) -> Micro:
        """The micro batch of the smallest sample alone."""
