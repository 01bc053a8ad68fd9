"""Layout and situation modelling on any family: tokens for cameras and for the asker's place, and heads."""

from __future__ import annotations

from vantage.models.situated.cameras import Cameras
from vantage.models.situated.config import SituatedConfig
from vantage.models.situated.module import Situated
from vantage.models.situated.place import PlaceEstimate
from vantage.models.situated.prompt import head_text
from vantage.models.situated.tokens import SituatedTokens, add_tokens, tokens_of

__all__ = [
    "Cameras", "PlaceEstimate", "Situated", "SituatedConfig", "SituatedTokens", "add_tokens", "head_text",
    "tokens_of",
]  # fmt: skip
