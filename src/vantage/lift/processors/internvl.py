"""InternVL (GOT-OCR2's processor): tiles of a canvas of nearly the image's shape, then the image whole."""

from __future__ import annotations

from vantage.geometry.tiling import nearest_tiling
from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings
from vantage.lift.processors.steps import resized, split


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """The whole image in one tile, or with `crop_to_patches` (which InternVL's own processor sets) many."""
    if not settings.flag("crop_to_patches") or settings.number("max_patches") == 1:
        return [resized(image, settings) if settings.flag("do_resize") else image]
    whole = resized(image, settings)
    columns, rows = nearest_tiling(
        (image.width, image.height),
        (whole.width, whole.height),
        settings.number("min_patches"),
        settings.number("max_patches"),
    )
    canvas = image.resized(columns * whole.width, rows * whole.height)
    parts = split(canvas, whole.width, whole.height)
    return parts if len(parts) == 1 else [*parts, whole]


GOT_OCR2 = Processor(
    {
        "size": {"height": 384, "width": 384},
        "do_resize": True,
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 12,
    },
    tiles,
)
