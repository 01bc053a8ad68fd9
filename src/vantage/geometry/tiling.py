"""How many tiles across and down show an image at nearly its own shape, as InternVL and NVILA choose them."""

from __future__ import annotations


def nearest_tiling(image: tuple[int, int], tile: tuple[int, int], least: int, most: int) -> tuple[int, int]:
    """Columns and rows, `least` to `most` tiles in all, whose shape is nearest the image's.

    Among equals the first of fewest tiles, unless the image has more than half as many pixels as a later one.

    Args:
        image: width and height, pixels.
        tile: width and height, pixels; tiles count as squares in the comparison of shapes.
        least, most: bounds of the number of tiles.
    """
    shapes = [
        (columns, rows)
        for columns in range(1, most + 1)
        for rows in range(1, most + 1)
        if least <= columns * rows <= most
    ]
    aspect, area = image[0] / image[1], image[0] * image[1]
    best, nearest = (1, 1), float("inf")
    for columns, rows in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        away = abs(aspect - columns / rows)
        enough = area > 0.5 * tile[1] * tile[0] * columns * rows
        if away < nearest or (away == nearest and enough):
            best, nearest = (columns, rows), away
    return best
