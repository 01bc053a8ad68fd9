"""Each class built of boxes and round parts, so that it can be recognised in a picture of 64 pixels."""

from __future__ import annotations

from collections.abc import Callable

from vantage.scans.generated.parts import Builder, Part, Rgb
from vantage.scans.generated.room import Item
from vantage.scans.generated.texture import Material

_METAL: Rgb = (150.0, 150.0, 152.0)
_SCREEN: Rgb = (58.0, 66.0, 80.0)
_DOOR: Rgb = (133.0, 118.0, 104.0)
_FRAME: Rgb = (152.0, 147.0, 140.0)
_SKY: Rgb = (184.0, 199.0, 206.0)
_BOOKS: tuple[Rgb, ...] = ((120.0, 112.0, 104.0), (150.0, 140.0, 126.0), (98.0, 102.0, 108.0))


def _bed(b: Builder) -> None:
    x, y = b.x, b.y
    b.box((-x, -x + 0.08), (-y, y), (0.0, b.dz), b.dark(0.75), Material.WOOD)
    b.box((x - 0.05, x), (-y, y), (0.0, 0.42), b.dark(0.75), Material.WOOD)
    b.box((-x + 0.08, x - 0.05), (-y, y), (0.06, 0.30), b.dark(0.65), Material.WOOD)
    b.box((-x + 0.08, -x + 0.62), (-y + 0.02, y - 0.02), (0.30, 0.50), b.light(0.45), Material.FABRIC)
    b.box((-x + 0.62, x - 0.05), (-y + 0.01, y - 0.01), (0.30, 0.54), b.color, Material.FABRIC)
    pillows = 2 if b.dy > 1.25 else 1
    wide = (b.dy - 0.2) / pillows
    for k in range(pillows):
        y0 = -y + 0.1 + k * wide
        b.box((-x + 0.12, -x + 0.48), (y0 + 0.04, y0 + wide - 0.04), (0.50, 0.61), b.light(0.75))


def _bathtub(b: Builder) -> None:
    x, y, rim = b.x, b.y, b.dz - 0.1
    inner = b.light(0.45)
    b.box((-x, -x + 0.09), (-y, y), (0.0, rim))
    b.box((x - 0.09, x), (-y, y), (0.0, rim))
    b.box((-x + 0.09, x - 0.09), (-y, -y + 0.14), (0.0, rim))
    b.box((-x + 0.09, x - 0.09), (y - 0.10, y), (0.0, rim))
    b.box((-x + 0.09, x - 0.09), (-y + 0.14, y - 0.10), (0.02, 0.16), inner)
    b.box((-0.03, 0.03), (-y + 0.04, -y + 0.09), (rim, b.dz), _METAL)
    b.box((-0.03, 0.03), (-y + 0.04, -y + 0.20), (b.dz - 0.03, b.dz), _METAL)


def _sofa(b: Builder) -> None:
    x, y, arm = b.x, b.y, 0.18
    b.box((-x, x - 0.03), (-y + arm, y - arm), (0.06, 0.28), b.dark(0.8), Material.FABRIC)
    b.box((-x, -x + 0.24), (-y + arm, y - arm), (0.28, b.dz), b.color, Material.FABRIC)
    for side in (-1, 1):
        low, high = sorted((side * y, side * (y - arm)))
        b.box((-x, x), (low, high), (0.0, 0.60), b.dark(0.88), Material.FABRIC)
    seats = 3 if b.dy > 1.85 else 2
    wide = (b.dy - 2 * arm) / seats
    for k in range(seats):
        y0 = -y + arm + k * wide
        b.box((-x + 0.24, x), (y0 + 0.012, y0 + wide - 0.012), (0.28, 0.45), b.light(0.12), Material.FABRIC)


def _table(b: Builder) -> None:
    b.box((-b.x, b.x), (-b.y, b.y), (b.dz - 0.05, b.dz), b.color, Material.WOOD)
    b.box((-b.x + 0.06, b.x - 0.06), (-b.y + 0.06, b.y - 0.06), (b.dz - 0.12, b.dz - 0.05), b.dark(0.8))
    b.legs(0.08, b.dz - 0.05, b.dark(0.85))


def _desk(b: Builder) -> None:
    x, y, top = b.x, b.y, b.dz - 0.045
    b.box((-x, x), (-y, y), (top, b.dz), b.color, Material.WOOD)
    b.box((-x + 0.02, x - 0.04), (y - 0.42, y - 0.02), (0.0, top), b.dark(0.85))
    for k in range(3):
        z0 = 0.06 + k * (top - 0.08) / 3
        z1 = z0 + (top - 0.08) / 3 - 0.03
        b.box((x - 0.04, x - 0.02), (y - 0.40, y - 0.04), (z0, z1), b.light(0.12))
        b.box((x - 0.02, x), (y - 0.28, y - 0.16), ((z0 + z1) / 2 - 0.012, (z0 + z1) / 2 + 0.012), _METAL)
    b.box((-x + 0.02, x - 0.02), (-y + 0.02, -y + 0.06), (0.0, top), b.dark(0.85))
    b.box((-x + 0.02, -x + 0.05), (-y + 0.06, y - 0.42), (0.25, top), b.dark(0.75))


def _chair(b: Builder) -> None:
    x, y = b.x, b.y
    b.legs(0.05, 0.43, b.dark(0.8))
    b.box((-x, x), (-y, y), (0.43, 0.49), b.color, Material.FABRIC)
    for side in (-1, 1):
        low, high = sorted((side * y, side * (y - 0.05)))
        b.box((-x, -x + 0.05), (low, high), (0.49, b.dz), b.dark(0.8))
    b.box((-x + 0.005, -x + 0.045), (-y + 0.05, y - 0.05), (0.60, b.dz - 0.02), b.color, Material.FABRIC)


def _cabinet(b: Builder) -> None:
    x, y = b.x, b.y
    b.box((-x, x - 0.045), (-y, y), (0.07, b.dz), b.dark(0.88), Material.WOOD)
    b.box((-x + 0.02, x - 0.08), (-y + 0.03, y - 0.03), (0.0, 0.07), b.dark(0.5))
    doors = 3 if b.dy > 1.15 and b.dz < 1.0 else 2
    wide = b.dy / doors
    for k in range(doors):
        y0 = -y + k * wide
        b.box(
            (x - 0.045, x - 0.025),
            (y0 + 0.014, y0 + wide - 0.014),
            (0.09, b.dz - 0.03),
            b.color,
            Material.WOOD,
        )
        handle = y0 + (wide - 0.06 if k == 0 else 0.06)
        mid = 0.09 + (b.dz - 0.12) * 0.6
        b.box((x - 0.025, x), (handle - 0.012, handle + 0.012), (mid - 0.11, mid + 0.11), _METAL)


def _dresser(b: Builder) -> None:
    x, y = b.x, b.y
    b.legs(0.06, 0.12, b.dark(0.6))
    b.box((-x, x - 0.045), (-y, y), (0.12, b.dz - 0.03), b.dark(0.72), Material.WOOD)
    b.box((-x, x - 0.01), (-y, y), (b.dz - 0.03, b.dz), b.color, Material.WOOD)
    tall = (b.dz - 0.19) / 3
    for row in range(3):
        z0 = 0.15 + row * tall
        b.box(
            (x - 0.045, x - 0.02),
            (-y + 0.03, y - 0.03),
            (z0 + 0.012, z0 + tall - 0.014),
            b.color,
            Material.WOOD,
        )
        for side in (-1, 1):
            knob = side * y * 0.5
            mid = z0 + tall / 2
            b.box((x - 0.02, x), (knob - 0.03, knob + 0.03), (mid - 0.02, mid + 0.02), _METAL)


def _nightstand(b: Builder) -> None:
    x, y = b.x, b.y
    b.box((-x, x), (-y, y), (b.dz - 0.03, b.dz), b.color, Material.WOOD)
    for side in (-1, 1):
        low, high = sorted((side * y, side * (y - 0.03)))
        b.box((-x, x - 0.02), (low, high), (0.0, b.dz - 0.03), b.dark(0.9))
    b.box((-x, -x + 0.02), (-y + 0.03, y - 0.03), (0.05, b.dz - 0.03), b.dark(0.55))
    b.box((-x, x - 0.03), (-y + 0.03, y - 0.03), (0.05, 0.09), b.dark(0.9))
    b.box((-x + 0.02, x - 0.02), (-y + 0.035, y - 0.035), (b.dz - 0.23, b.dz - 0.04), b.light(0.1))
    b.box((x - 0.02, x), (-0.04, 0.04), (b.dz - 0.15, b.dz - 0.12), _METAL)


def _bookshelf(b: Builder) -> None:
    x, y = b.x, b.y
    for side in (-1, 1):
        low, high = sorted((side * y, side * (y - 0.04)))
        b.box((-x, x), (low, high), (0.0, b.dz), b.color, Material.WOOD)
    b.box((-x, -x + 0.02), (-y + 0.04, y - 0.04), (0.0, b.dz), b.dark(0.7), Material.WOOD)
    shelves = 5 if b.dz > 1.7 else 4
    pitch = (b.dz - 0.08) / shelves
    for k in range(shelves + 1):
        z0 = k * pitch if k else 0.0
        b.box(
            (-x + 0.02, x),
            (-y + 0.04, y - 0.04),
            (z0, z0 + 0.08 if k in (0, shelves) else z0 + 0.05),
            b.color,
        )
    inside = b.dy - 0.08
    for k in range(shelves):
        z0 = k * pitch + (0.08 if k == 0 else 0.05)
        # Rows of books leave gaps, each shelf in its own way.
        start = (0.04, 0.36, 0.0, 0.22, 0.12)[k]
        for n in range(2):
            y0 = -y + 0.04 + (start + n * 0.29) * inside
            y1 = y0 + (0.27 - 0.05 * ((k + n) % 2)) * inside
            tall = (pitch - 0.05) * (0.62 + 0.12 * ((k + 2 * n) % 3))
            b.box((-x + 0.03, x - 0.05), (y0, y1), (z0, z0 + tall), _BOOKS[(k + n) % 3], Material.BOOKS)


def _lamp(b: Builder) -> None:
    standing = b.dz > 1.0
    shade = 0.40 if standing else 0.34
    b.round(b.x * 0.62, (0.0, 0.04), b.dark(0.8))
    b.round(0.025 if standing else 0.045, (0.04, b.dz - shade), b.dark(0.7), sides=8)
    b.round(b.x, (b.dz - shade, b.dz), b.color, 0.66, Material.GLOW)


def _refrigerator(b: Builder) -> None:
    x, y = b.x, b.y
    split = b.dz * 0.64
    b.box((-x, x - 0.09), (-y, y), (0.04, b.dz), b.dark(0.9))
    b.box((-x + 0.03, x - 0.12), (-y + 0.03, y - 0.03), (0.0, 0.04), b.dark(0.4))
    b.box((x - 0.085, x - 0.035), (-y + 0.004, y - 0.004), (0.06, split - 0.012))
    b.box((x - 0.085, x - 0.035), (-y + 0.004, y - 0.004), (split + 0.012, b.dz - 0.005))
    for z0, z1 in ((split - 0.62, split - 0.08), (split + 0.07, split + 0.36)):
        b.box((x - 0.035, x), (-y + 0.05, -y + 0.085), (z0, z1), _METAL)


def _tv(b: Builder) -> None:
    standing = b.dz > 1.0
    x, y = b.x, b.y
    tall = 0.64 if standing else b.dz - 0.10
    low = b.dz - tall
    back, front = (-0.05, 0.03) if standing else (-x * 0.35, x * 0.35)
    b.box((back, front - 0.012), (-y, y), (low, b.dz))
    edge = 0.085
    b.box(
        (front - 0.012, front - 0.006),
        (-y + edge, y - edge),
        (low + edge, b.dz - edge),
        _SCREEN,
        Material.SCREEN,
    )
    for side in (-1, 1):
        y0, y1 = sorted((side * y, side * (y - edge)))
        b.box((front - 0.012, front), (y0, y1), (low, b.dz))
    for z0, z1 in ((low, low + edge), (b.dz - edge, b.dz)):
        b.box((front - 0.012, front), (-y + edge, y - edge), (z0, z1))
    b.box((-0.04, 0.02), (-0.09, 0.09), (0.03, low), b.dark(0.75))
    b.box((-x, x), (-y * 0.55, y * 0.55), (0.0, 0.035), b.dark(0.85))
    if standing:
        b.box((-x + 0.04, x - 0.04), (-y * 0.7, y * 0.7), (0.34, 0.39), b.color)


def _box(b: Builder) -> None:
    x, y = b.x, b.y
    b.box((-x, x), (-y, y), (0.0, b.dz - 0.006), b.color, Material.CARDBOARD)
    b.box((-x, x), (-0.03, 0.03), (b.dz - 0.006, b.dz), b.light(0.5))


def _floor(b: Builder) -> None:
    b.box((-b.x, b.x), (-b.y, b.y), (0.0, b.dz))


def _door(b: Builder) -> None:
    x, y = b.x, b.y
    b.box((-x, x - 0.006), (-y + 0.06, y - 0.06), (0.0, b.dz - 0.06), _DOOR, Material.WOOD)
    for side in (-1, 1):
        y0, y1 = sorted((side * y, side * (y - 0.06)))
        b.box((-x, x), (y0, y1), (0.0, b.dz), _FRAME)
    b.box((-x, x), (-y + 0.06, y - 0.06), (b.dz - 0.06, b.dz), _FRAME)
    b.box((x - 0.006, x), (y - 0.20, y - 0.10), (0.96, 1.0), (88.0, 88.0, 90.0))
    for z0, z1 in ((0.15, 0.85), (1.1, 1.8)):
        b.box((x - 0.006, x - 0.002), (-y + 0.2, y - 0.2), (z0, z1), (118.0, 104.0, 92.0), Material.WOOD)


def _window(b: Builder) -> None:
    x, y = b.x, b.y
    b.box((-x, x - 0.012), (-y + 0.05, y - 0.05), (0.05, b.dz - 0.05), _SKY, Material.SKY)
    for y0, y1 in ((-y, -y + 0.05), (-0.02, 0.02), (y - 0.05, y)):
        b.box((-x, x), (y0, y1), (0.0, b.dz), _FRAME)
    for z0, z1 in ((0.0, 0.05), (b.dz - 0.05, b.dz)):
        b.box((-x, x), (-y + 0.05, y - 0.05), (z0, z1), _FRAME)


_BUILDERS: dict[str, Callable[[Builder], None]] = {
    "bed": _bed,
    "cabinet": _cabinet,
    "chair": _chair,
    "sofa": _sofa,
    "table": _table,
    "desk": _desk,
    "bookshelf": _bookshelf,
    "dresser": _dresser,
    "nightstand": _nightstand,
    "lamp": _lamp,
    "refrigerator": _refrigerator,
    "tv": _tv,
    "box": _box,
    "bathtub": _bathtub,
    "floor": _floor,
    "wall": _floor,
    "door": _door,
    "window": _window,
}


def parts_of(item: Item) -> tuple[Part, ...]:
    """The parts an object is built of, inside its box; together they reach all six of its sides."""
    builder = Builder(item)
    _BUILDERS[item.label](builder)
    return tuple(builder.parts)
