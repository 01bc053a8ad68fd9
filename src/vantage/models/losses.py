"""What a trainable model says of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Losses:
    """The loss of a batch.

    Attributes:
        total: a scalar with its graph, what is minimised: the mean over the batch's `tokens`.
        parts: what `total` is made of, scalars by name, for the record; means over the same tokens.
        tokens: how many learned tokens (answers, where each is one token) the mean is over. The loop weighs
            the batches of a step by it, so that a step does not depend on how it is divided.
    """

    total: Tensor
    tokens: int
    parts: Mapping[str, Tensor] = field(default_factory=dict)
