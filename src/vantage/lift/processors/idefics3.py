"""Idefics3 and SmolVLM: tiles of an image enlarged to whole tiles, then the image whole."""

from __future__ import annotations

import math

from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings
from vantage.lift.processors.steps import split

_MOST = 4096


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """The image squashed to one tile; with `do_image_splitting` its tiles before that, if several."""
    edge = settings.size("max_image_size").get("longest_edge")
    if not edge:
        raise settings.error("max_image_size", "longest_edge", settings.value("max_image_size"))
    if settings.flag("do_resize"):
        image = _resized(settings, image)
    if not settings.flag("do_image_splitting"):
        return [image.resized(edge, edge)]
    image = _whole_tiles(image, edge)
    whole = image.resized(edge, edge)
    return [whole] if image == whole else [*split(image, edge, edge), whole]


def _resized(settings: Settings, image: Tile) -> Tile:
    size = settings.size("size")
    if "longest_edge" in size:
        return image.resized(*_by_longest_edge(image, size["longest_edge"]))
    if "height" in size and "width" in size:
        return image.resized(size["width"], size["height"])
    raise settings.error("size", "longest_edge, or height and width", size)


def _by_longest_edge(image: Tile, edge: int) -> tuple[int, int]:
    """Width and height with the longer one `edge` and the shorter one even, none above 4096."""
    width, height = image.width, image.height
    aspect = width / height
    if width >= height:
        width, height = edge, int(edge / aspect)
        height += height % 2
    else:
        width, height = int(edge * aspect), edge
        width += width % 2
    width, height = max(width, 1), max(height, 1)
    aspect = width / height
    if width >= height and width > _MOST:
        width, height = _MOST, int(_MOST / aspect)
    elif height > width and height > _MOST:
        width, height = int(_MOST * aspect), _MOST
    return max(width, 1), max(height, 1)


def _whole_tiles(image: Tile, edge: int) -> Tile:
    """The image enlarged to whole tiles on both axes: the longer one first, the other in proportion."""
    aspect = image.width / image.height
    if image.width >= image.height:
        width = math.ceil(image.width / edge) * edge
        return image.resized(width, math.ceil(int(width / aspect) / edge) * edge)
    height = math.ceil(image.height / edge) * edge
    return image.resized(math.ceil(int(height * aspect) / edge) * edge, height)


IDEFICS3 = Processor(
    {
        "size": {"longest_edge": 4 * 364},
        "max_image_size": {"longest_edge": 364},
        "do_resize": True,
        "do_image_splitting": True,
    },
    tiles,
)
