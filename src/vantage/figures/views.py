"""Views that were shown together as one small picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

_GAP_PX = 4


def views_picture(views: Sequence[Any], height_px: int = 168) -> bytes:
    """A PNG of Pillow images side by side, each scaled down to a height; a smaller one is left as it is."""
    from PIL import Image

    scaled = []
    for view in views:
        height = min(height_px, view.height)
        width = max(1, round(view.width * height / view.height))
        scaled.append(view.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
    width = sum(view.width for view in scaled) + _GAP_PX * (len(scaled) - 1)
    sheet = Image.new("RGB", (width, max(view.height for view in scaled)), "white")
    at = 0
    for view in scaled:
        sheet.paste(view, (at, 0))
        at += view.width + _GAP_PX
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
