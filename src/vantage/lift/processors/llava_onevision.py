"""LLaVA-OneVision: one image is shown whole and in tiles, several are padded to squares."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings
from vantage.lift.processors.steps import centre_cropped, padded_to_square, resized, split

_EDGES = range(384, 2305, 384)


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """The image whole, then its tiles; of several images each in one tile, padded to a square."""
    shown = [padded_to_square(image)] if images > 1 else _any_resolution(settings, image)
    if settings.flag("do_resize"):
        shown = [resized(tile, settings) for tile in shown]
    if settings.flag("do_center_crop"):
        shown = [centre_cropped(tile, settings) for tile in shown]
    return shown


def _any_resolution(settings: Settings, image: Tile) -> list[Tile]:
    size = settings.size("size")
    height, width = (size.get(edge) or size.get("shortest_edge") for edge in ("height", "width"))
    if height is None or width is None:
        raise settings.error("size", "height and width, or shortest_edge", size)
    crop = settings.value("crop_size")
    edge = settings.size("crop_size").get("height", height) if crop is not None else height
    canvas = _best_canvas(settings, image)
    return [image.resized(width, height), *split(_fitted(image, *canvas), edge, edge)]


def _best_canvas(settings: Settings, image: Tile) -> tuple[int, int]:
    """Height and width of the canvas that keeps most of the image's pixels, and wastes least among those."""
    best, most, least_waste = None, 0, math.inf
    for height, width in _canvases(settings):
        scale = min(width / image.width, height / image.height)
        kept = min(int(image.width * scale) * int(image.height * scale), image.width * image.height)
        waste = height * width - kept
        if kept > most or (kept == most and waste < least_waste):
            best, most, least_waste = (height, width), kept, waste
    if best is None:
        raise settings.error(
            "image_grid_pinpoints", "a canvas that the image fits", settings.value("image_grid_pinpoints")
        )
    return best


def _canvases(settings: Settings) -> Sequence[tuple[int, int]]:
    value = settings.value("image_grid_pinpoints")
    fits = isinstance(value, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(n, int) and n > 0 for n in pair)
        for pair in value
    )
    if not fits:
        raise settings.error("image_grid_pinpoints", "pairs of height and width", value)
    return [(height, width) for height, width in value]


def _fitted(image: Tile, height: int, width: int) -> Tile:
    """The image as large as the canvas allows, in its middle; the odd pixel is at the right or bottom."""
    by_width, by_height = width / image.width, height / image.height
    if by_width < by_height:
        fitted = image.resized(width, min(math.ceil(image.height * by_width), height))
    else:
        fitted = image.resized(min(math.ceil(image.width * by_height), width), height)
    left, top = (width - fitted.width) // 2, (height - fitted.height) // 2
    return fitted.padded(left, top, width - fitted.width - left, height - fitted.height - top)


LLAVA_ONEVISION = Processor(
    {
        "size": {"height": 384, "width": 384},
        "do_resize": True,
        "image_grid_pinpoints": [[height, width] for height in _EDGES for width in _EDGES],
    },
    tiles,
)
