"""What a generated room is: furniture, structure, and the four walls around them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

STYLES: tuple[str, ...] = ("bedroom", "living", "office", "kitchen")

CLASSES: tuple[str, ...] = (
    "bed",
    "cabinet",
    "chair",
    "sofa",
    "table",
    "desk",
    "bookshelf",
    "dresser",
    "nightstand",
    "lamp",
    "refrigerator",
    "tv",
    "box",
    "bathtub",
)

STRUCTURE_CLASSES: tuple[str, ...] = ("wall", "floor", "door", "window")

# NYU40 names that differ from the word used here.
NYU40_NAME: dict[str, str] = {
    "nightstand": "night stand",
    "refrigerator": "refridgerator",
    "tv": "television",
}

# sRGB of each named colour: far apart from each other and from the muted walls.
COLORS: dict[str, tuple[int, int, int]] = {
    "red": (205, 28, 32),
    "orange": (246, 126, 16),
    "yellow": (247, 218, 30),
    "green": (30, 150, 52),
    "blue": (28, 74, 205),
    "purple": (132, 38, 168),
    "white": (246, 246, 246),
    "black": (22, 22, 24),
}


@dataclass(frozen=True)
class Item:
    """One object: an upright box in the aligned world (metres, z up, floor at z = 0).

    `size` holds the extents along the object's own axes: depth (x, towards its front), width (y), height (z).
    `yaw` turns the object's axes into the world about z, so the front looks along (cos yaw, sin yaw).
    `group` numbers the objects that share one colour, class and size; structure has group -1 and no colour.
    """

    object_id: int
    label: str
    color: str
    group: int
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float
    on: int = -1
    """The object it stands on; -1 is the floor (or the wall, for structure)."""

    @property
    def bottom(self) -> float:
        """Height of the underside above the floor, metres."""
        return self.center[2] - self.size[2] / 2

    @property
    def top(self) -> float:
        """Height of the upper side above the floor, metres."""
        return self.center[2] + self.size[2] / 2

    @property
    def footprint(self) -> Rectangle:
        """The rectangle it covers, seen from above."""
        return Rectangle(self.center[0], self.center[1], self.size[0] / 2, self.size[1] / 2, self.yaw)


@dataclass(frozen=True)
class Room:
    """A furnished room whose floor is centred on the origin of the aligned world."""

    room_id: str
    style: str
    width: float
    """Extent along x, metres."""
    depth: float
    """Extent along y, metres."""
    height: float
    items: tuple[Item, ...]
    """Furniture; `items[i].object_id == i`."""
    structure: tuple[Item, ...]
    """Floor, four walls, door, windows; object ids go on after the furniture's."""

    @property
    def objects(self) -> tuple[Item, ...]:
        """Furniture and structure, in the order of their ids."""
        return self.items + self.structure

    @property
    def groups(self) -> tuple[tuple[Item, ...], ...]:
        """The furniture by group: each is all of one colour, class and size."""
        found: dict[int, list[Item]] = {}
        for item in self.items:
            found.setdefault(item.group, []).append(item)
        return tuple(tuple(members) for members in found.values())


@dataclass(frozen=True)
class Rectangle:
    """A turned rectangle on the floor: centre, half extents along its own axes, yaw."""

    x: float
    y: float
    hx: float
    hy: float
    yaw: float

    def grown(self, by: float) -> Rectangle:
        """The rectangle with `by` metres added on each side."""
        return Rectangle(self.x, self.y, self.hx + by, self.hy + by, self.yaw)

    def forward(self, by: float) -> Rectangle:
        """The rectangle lengthened by `by` metres in front (towards its own +x)."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return Rectangle(self.x + c * by / 2, self.y + s * by / 2, self.hx + by / 2, self.hy, self.yaw)

    def reach(self) -> tuple[float, float]:
        """Half extents of its bounding box along the world's x and y."""
        c, s = abs(math.cos(self.yaw)), abs(math.sin(self.yaw))
        return self.hx * c + self.hy * s, self.hx * s + self.hy * c

    def point(self, forward: float, left: float) -> tuple[float, float]:
        """The world position of a point given along the rectangle's own axes from its centre."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return self.x + c * forward - s * left, self.y + s * forward + c * left

    def overlaps(self, other: Rectangle) -> bool:
        """Whether the two share area, by separating axes."""
        dx, dy = other.x - self.x, other.y - self.y
        reach = math.hypot(self.hx, self.hy) + math.hypot(other.hx, other.hy)
        if dx * dx + dy * dy >= reach * reach:
            return False
        turn = other.yaw - self.yaw
        c, s = abs(math.cos(turn)), abs(math.sin(turn))
        for a, b in ((self, other), (other, self)):
            ca, sa = math.cos(a.yaw), math.sin(a.yaw)
            if abs(dx * ca + dy * sa) >= a.hx + b.hx * c + b.hy * s:
                return False
            if abs(dy * ca - dx * sa) >= a.hy + b.hx * s + b.hy * c:
                return False
        return True


def overlaps_any(rectangle: Rectangle, others: Iterable[Rectangle]) -> bool:
    """Whether the rectangle shares area with any of the others."""
    return any(rectangle.overlaps(other) for other in others)
