"""Parameters of the model that is trained and asked: one section, read by every stage that loads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BaseConfig:
    """What arms are trained on, evaluated with and packaged for.

    Attributes:
        model: `shipped` (the pocket model), a folder made by `python -m vantage.models.base`, or a
            vision-language model: its folder or its name on the hub, of which a registered model keeps name,
            commit and fingerprint alone.
        revision: of a model on the hub: commit, branch or tag; empty for its main branch.
        weights: precision that a vision-language model is held in; what is trained or added is float32.
    """

    model: str = "shipped"
    revision: str = ""
    weights: Literal["float32", "bfloat16"] = "float32"
