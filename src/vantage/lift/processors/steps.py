"""Single steps that several image processors share, with their way of rounding sizes."""

from __future__ import annotations

from vantage.geometry.warp import Tile
from vantage.lift.processors.settings import Settings


def resized(tile: Tile, settings: Settings, name: str = "size") -> Tile:
    """The tile resized as the setting `name` says.

    To `height` and `width`; or with its shape kept to `shortest_edge`, as far as `longest_edge` allows.
    """
    size = settings.size(name)
    if "shortest_edge" in size:
        return tile.resized(*_by_shortest_edge(tile, size["shortest_edge"], size.get("longest_edge")))
    if "height" in size and "width" in size:
        return tile.resized(size["width"], size["height"])
    raise settings.error(name, "height and width, or shortest_edge", size)


def _by_shortest_edge(tile: Tile, edge: int, limit: int | None) -> tuple[int, int]:
    """Width and height with the shorter one `edge`, cut short where the longer one would pass `limit`."""
    short, long = sorted((tile.width, tile.height))
    wanted: float = edge
    if limit is not None and long / short * edge > limit:
        wanted = limit * short / long
        edge = round(wanted)
    other = long if edge == short else int(wanted * long / short)
    return (edge, other) if tile.width <= tile.height else (other, edge)


def centre_cropped(tile: Tile, settings: Settings) -> Tile:
    """The middle of the tile, of `crop_size`; padded where the tile is smaller."""
    size = settings.size("crop_size")
    if "height" not in size or "width" not in size:
        raise settings.error("crop_size", "height and width", size)
    width, height = size["width"], size["height"]
    return tile.cropped((tile.width - width) // 2, (tile.height - height) // 2, width, height)


def padded_to_square(tile: Tile) -> Tile:
    """The tile in the middle of a square; the odd pixel is at the right or bottom."""
    edge = max(tile.width, tile.height)
    left, top = (edge - tile.width) // 2, (edge - tile.height) // 2
    return tile.padded(left, top, edge - tile.width - left, edge - tile.height - top)


def split(tile: Tile, width: int, height: int) -> list[Tile]:
    """Tiles of `width` x `height` pixels, row by row; the last ones of a row or column may be smaller."""
    return [
        tile.cropped(x, y, min(width, tile.width - x), min(height, tile.height - y))
        for y in range(0, tile.height, height)
        for x in range(0, tile.width, width)
    ]
