"""InternVL (GOT-OCR2's processor): tiles of a canvas of nearly the image's shape, then the image whole."""

from __future__ import annotations

from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings
from vantage.lift.processors.steps import resized, split


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """The whole image in one tile, or with `crop_to_patches` (which InternVL's own processor sets) many."""
    if not settings.flag("crop_to_patches") or settings.number("max_patches") == 1:
        return [resized(image, settings) if settings.flag("do_resize") else image]
    whole = resized(image, settings)
    columns, rows = best_canvas(image, whole, settings.number("min_patches"), settings.number("max_patches"))
    canvas = image.resized(columns * whole.width, rows * whole.height)
    parts = split(canvas, whole.width, whole.height)
    return parts if len(parts) == 1 else [*parts, whole]


def best_canvas(image: Tile, tile: Tile, least: int, most: int) -> tuple[int, int]:
    """Columns and rows of tiles whose shape is nearest the image's.

    Among equals the first of fewest tiles, unless the image has more than half as many pixels as a later one.
    """
    shapes = [
        (columns, rows)
        for columns in range(1, most + 1)
        for rows in range(1, most + 1)
        if least <= columns * rows <= most
    ]
    aspect, area = image.width / image.height, image.width * image.height
    best, nearest = (1, 1), float("inf")
    for columns, rows in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        away = abs(aspect - columns / rows)
        enough = area > 0.5 * tile.height * tile.width * columns * rows
        if away < nearest or (away == nearest and enough):
            best, nearest = (columns, rows), away
    return best


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
