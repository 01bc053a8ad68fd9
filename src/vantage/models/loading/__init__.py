"""Stock vision-language models from a folder or a hub, safetensors only, no code from outside."""

from __future__ import annotations

from vantage.models.loading.load import LoadedBase, base_folder, load_vlm

__all__ = ["LoadedBase", "base_folder", "load_vlm"]
