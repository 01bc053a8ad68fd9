"""NVILA with dynamic tiling: an image alone in tiles and then whole, several whole, each in a square."""

from __future__ import annotations

from vantage.geometry.tiling import nearest_tiling
from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings
from vantage.lift.processors.steps import resized, split


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """InternVL's choice of tiles for an image alone; a squash for each of several."""
    whole = resized(image, settings)
    if images > 1:
        return [whole]
    columns, rows = nearest_tiling(
        (image.width, image.height),
        (whole.width, whole.height),
        settings.number("min_tiles"),
        settings.number("max_tiles"),
    )
    parts = split(image.resized(columns * whole.width, rows * whole.height), whole.width, whole.height)
    return parts if len(parts) == 1 else [*parts, whole]


NVILA = Processor({"size": {"height": 448, "width": 448}, "min_tiles": 1, "max_tiles": 12}, tiles)
