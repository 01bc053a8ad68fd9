"""3D position encoders: coordinates to a vector of a site's width."""

from __future__ import annotations

from vantage.models.encoders.base import PositionEncoder
from vantage.models.encoders.config import EncoderConfig, fresh_encoder

__all__ = ["EncoderConfig", "PositionEncoder", "fresh_encoder"]
