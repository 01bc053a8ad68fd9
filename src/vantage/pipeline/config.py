"""Parameters of the runner itself: the section `contracts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le


@dataclass(frozen=True)
class ContractsConfig:
    """What stops a stage.

    Attributes:
        max_set_aside_share: block a stage that sets aside more than this share of its scans.
    """

    max_set_aside_share: Annotated[float, Ge(0.0), Le(1.0)] = 0.2
