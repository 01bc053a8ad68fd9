"""Where coordinates enter a grounded model: N3D-VLM's embedding without parameters, in token order."""

from __future__ import annotations

from typing import Final

from vantage.models.encoders import EncoderConfig
from vantage.models.injector import InjectionConfig

INJECTION: Final = InjectionConfig(
    site="post_vit", frame="ego_level", encoder=EncoderConfig("sinusoid", "n3d", scale=1.0)
)
"""After the vision tower, before the merger; every row gets the embedding of its own patch."""
