"""The decoder's last hidden states, and the output head that makes logits of them: apart, so that a loss may
take the logits a few at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vantage.core.errors import ParameterError
from vantage.models.families import family_of

_SCALES: Final = ("logit_scale", "logits_scaling", "lm_head_multiplier")
"""Names under which decoders' configurations keep a factor on their logits."""


@dataclass(frozen=True)
class OutputHead:
    """What makes logits of hidden states.

    Attributes:
        module: the model's own output layer in whatever wraps it (peft's LoRA, or a copy that it trains).
        vocabulary: logits of a token.
        cap: c of logits kept within (-c, c) as c tanh(logit / c); None: as they are.
    """

    module: nn.Module
    vocabulary: int
    cap: float | None = None

    def __call__(self, hidden: Float[Tensor, "*n d"]) -> Float[Tensor, "*n v"]:
        """The model's logits, in its precision."""
        logits: Tensor = self.module(hidden)
        return logits if self.cap is None else torch.tanh(logits / self.cap) * self.cap


def stock(model: Any) -> Any:
    """The transformers model itself, out of peft's wrapper if it has one."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def output_head(model: Any) -> OutputHead:
    """The head of a model of one of our families.

    Raises:
        ParameterError: the model scales its logits in a way that is not known here.
    """
    inner = stock(model)
    config = inner.config.get_text_config()
    for name in _SCALES:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise ParameterError(
                "this model scales its logits, which the loss does not know", where=f"text_config.{name}",
                expected="none, or 1", found=getattr(config, name),
                hint="let the family's file say how logits are made",
            )  # fmt: skip
    cap = family_of(inner).logit_cap(inner)
    return OutputHead(inner.get_output_embeddings(), int(config.vocab_size), cap)


def last_hidden(model: Any, inputs: Mapping[str, Any]) -> Float[Tensor, "b t d"]:
    """The decoder's last hidden states for the inputs of `model`: what its logits are made of.

    No logits are computed, and no keys and values are kept.
    """
    states: Tensor = stock(model).model(**{"use_cache": False, **inputs}).last_hidden_state
    return states
