"""Furnished rooms as symbols: style, furniture, door and windows. No rendering, no heavy library."""

from __future__ import annotations

import math

import numpy as np

from vantage.core.seeds import rng as make_rng
from vantage.scans.generated.furniture import sample_groups
from vantage.scans.generated.placement import Placer
from vantage.scans.generated.room import COLORS, STYLES, Item, Rectangle, Room

SMALLEST, LARGEST = 3.5, 6.5
"""Range of a side of the floor, metres."""

_DOOR = (0.88, 2.02)
_FRAME = 0.024


def sample_room(seed: int, room_id: str, *, smallest: float = SMALLEST, largest: float = LARGEST) -> Room:
    """The room that follows from `seed` and `room_id` alone, in about a millisecond.

    It holds 5 to 8 groups of furniture, each of one class and one colour that no other group has, standing
    free of each other and of the walls, with floor to walk on. `smallest` and `largest` bound a side (m).
    """
    rng = make_rng(seed, "room", room_id)
    while True:
        style = STYLES[int(rng.integers(len(STYLES)))]
        u = rng.random(3).tolist()
        width, depth = (round(smallest + (largest - smallest) * f, 3) for f in u[:2])
        height = round(2.4 + 0.4 * u[2], 3)
        holes, blocked = _openings(rng, width, depth)
        # A small room does not hold eight groups and a path to walk.
        most = 8 if width * depth > 17 else 7 if width * depth > 14 else 6
        items = _furnish(rng, style, width, depth, blocked, int(rng.integers(5, most + 1)))
        if len({i.group for i in items}) >= 5 and _covered(items) < 0.42 * width * depth:
            break
    structure = _structure(len(items), width, depth, height, holes)
    return Room(room_id, style, width, depth, height, items, structure)


def _furnish(
    rng: np.random.Generator, style: str, width: float, depth: float, blocked: list[Rectangle], count: int
) -> tuple[Item, ...]:
    placer = Placer(rng, width, depth, blocked)
    names = tuple(COLORS)
    colors = [names[k] for k in rng.permutation(len(names)).tolist()]
    group = 0
    for label, members in sample_groups(rng, style, count):
        group += placer.place_group(label, members, colors[group], group) > 0
    for label in ("chair", "box", "lamp", "nightstand", "box"):
        if group >= 5:
            break
        group += placer.place_group(label, 1, colors[group], group) > 0
    return tuple(placer.items)


def _covered(items: tuple[Item, ...]) -> float:
    return sum(i.size[0] * i.size[1] for i in items if i.on < 0)


Opening = tuple[str, int, float, float, float, float]
"""Class, side of the room, position along the wall, width, bottom, top (metres)."""


def _openings(rng: np.random.Generator, width: float, depth: float) -> tuple[list[Opening], list[Rectangle]]:
    """A door, one or two windows on other sides, and the floor before the door that stays free."""
    sides = rng.permutation(4).tolist()
    u = rng.random(8).tolist()

    def along(side: int) -> float:
        return depth if side % 2 == 0 else width

    door = int(sides[0])
    t = (u[0] - 0.5) * (along(door) - _DOOR[0] - 0.3)
    openings: list[Opening] = [("door", door, t, _DOOR[0], 0.0, _DOOR[1])]
    for k in range(1 + (u[1] < 0.5)):
        side = int(sides[1 + k])
        wide = 0.9 + 0.7 * u[2 + k]
        s = (u[4 + k] - 0.5) * (along(side) - wide - 0.4)
        bottom = 0.95 + 0.15 * u[6 + k]
        openings.append(("window", side, s, wide, bottom, bottom + 1.0))
    x, y = _on_wall(door, t, width, depth, 0.4)
    return openings, [Rectangle(x, y, 0.4, _DOOR[0] / 2, door * math.pi / 2)]


def _on_wall(side: int, t: float, width: float, depth: float, inward: float) -> tuple[float, float]:
    """A position at `inward` metres from a wall; side k faces into the room along yaw k * 90 degrees."""
    return (
        (inward - width / 2, t),
        (t, inward - depth / 2),
        (width / 2 - inward, t),
        (t, depth / 2 - inward),
    )[side]


def _structure(
    first: int, width: float, depth: float, height: float, openings: list[Opening]
) -> tuple[Item, ...]:
    """Floor, walls, door and windows as thin boxes; floor and walls lie outside the free volume."""
    thick = 0.1
    parts: list[Item] = [Item(first, "floor", "", -1, (0.0, 0.0, -thick / 2), (width, depth, thick), 0.0)]
    for side in range(4):
        x, y = _on_wall(side, 0.0, width, depth, -thick / 2)
        along = depth if side % 2 == 0 else width
        size = (thick, along, height)
        yaw = math.remainder(side * math.pi / 2, 2 * math.pi)
        parts.append(Item(first + 1 + side, "wall", "", -1, (x, y, height / 2), size, yaw))
    for label, side, t, wide, bottom, top in openings:
        x, y = _on_wall(side, t, width, depth, _FRAME / 2)
        center = (round(x, 4), round(y, 4), round((bottom + top) / 2, 4))
        size = (_FRAME, round(wide, 4), round(top - bottom, 4))
        yaw = math.remainder(side * math.pi / 2, 2 * math.pi)
        parts.append(Item(first + len(parts), label, "", -1, center, size, yaw))
    return tuple(parts)
