"""Stock vision-language models from a folder or a hub, safetensors only, no code from outside."""

from __future__ import annotations

from vantage.models.loading.load import LoadedBase, load_vlm

__all__ = ["LoadedBase", "load_vlm"]
