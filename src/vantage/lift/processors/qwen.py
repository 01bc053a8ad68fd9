"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: one tile of any size, its edges whole numbers of merged patches."""

from __future__ import annotations

import math

from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Processor, Settings

_MAX_ASPECT = 200


def tiles(settings: Settings, image: Tile, images: int) -> list[Tile]:
    """The image resized to about its own size, within the limits of area.

    These stand as `shortest_edge` and `longest_edge` in `size`, though they are areas (pixels), or as
    `min_pixels` and `max_pixels`.
    """
    factor = settings.number("patch_size") * settings.number("merge_size")
    if not settings.flag("do_resize"):
        if image.width % factor or image.height % factor:
            raise settings.error("do_resize", f"images with edges of multiples of {factor}", image)
        return [image]
    size = settings.size("size")
    least = settings.value("min_pixels") or size.get("shortest_edge")
    most = settings.value("max_pixels") or size.get("longest_edge")
    if not least or not most:
        raise settings.error("size", "shortest_edge and longest_edge", size)
    if max(image.width, image.height) / min(image.width, image.height) > _MAX_ASPECT:
        raise settings.error("aspect ratio", f"at most {_MAX_ASPECT}", f"{image.width}x{image.height}")
    return [image.resized(*_smart_size(image, factor, least, most))]


def _smart_size(image: Tile, factor: int, least: int, most: int) -> tuple[int, int]:
    """Width and height: multiples of `factor`, an area between the limits, the shape nearly kept."""
    width, height = (round(edge / factor) * factor for edge in (image.width, image.height))
    area = image.width * image.height
    if width * height > most:
        shrink = math.sqrt(area / most)
        return (
            max(factor, math.floor(image.width / shrink / factor) * factor),
            max(factor, math.floor(image.height / shrink / factor) * factor),
        )
    if width * height < least:
        grow = math.sqrt(least / area)
        return (
            math.ceil(image.width * grow / factor) * factor,
            math.ceil(image.height * grow / factor) * factor,
        )
    return width, height


QWEN2_VL = Processor(
    {
        "size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280},
        "do_resize": True,
        "patch_size": 14,
        "merge_size": 2,
    },
    tiles,
)
