"""A room as placed parts: every surface with its object, colour and material."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int32, Int64

from vantage.core.seeds import rng as make_rng
from vantage.scans.generated.parts import Part
from vantage.scans.generated.room import Item, Room
from vantage.scans.generated.shapes import parts_of
from vantage.scans.generated.texture import FLOORS, WALLS, Material

NOTHING = -1
"""The object id of surfaces nobody asks about: ceiling, pictures, skirting."""

_WALL_COLORS = (
    (168.0, 156.0, 138.0),
    (150.0, 152.0, 148.0),
    (140.0, 144.0, 152.0),
    (160.0, 146.0, 136.0),
    (138.0, 146.0, 136.0),
    (152.0, 142.0, 148.0),
    (126.0, 128.0, 130.0),
)
_FLOOR_COLORS = (
    (134.0, 114.0, 94.0),
    (112.0, 102.0, 92.0),
    (126.0, 124.0, 120.0),
    (104.0, 108.0, 112.0),
    (142.0, 130.0, 112.0),
)
_CEILING = (176.0, 174.0, 169.0)


@dataclass(frozen=True)
class Surfaces:
    """All parts of a room in the aligned world (metres), as flat arrays of P parts.

    `frame` rows: centre (3), cosine and sine of yaw (2), size along the part's own axes (3).
    """

    frame: Float64[np.ndarray, "P 8"]
    rgb: Float64[np.ndarray, "P 3"]
    material: Int64[np.ndarray, "P"]
    seed: Int64[np.ndarray, "P"]
    object_id: Int32[np.ndarray, "P"]
    sides: Int64[np.ndarray, "P"]
    taper: Float64[np.ndarray, "P"]
    light: Float64[np.ndarray, "3"]


@dataclass(frozen=True)
class _Row:
    frame: tuple[float, ...]
    part: Part
    seed: int
    object_id: int


def surfaces_of(room: Room, seed: int) -> Surfaces:
    """The parts of a room; materials, pictures and light follow from `seed` and the room's id."""
    rng = make_rng(seed, "decor", room.room_id)
    rows: list[_Row] = []
    for item in room.items:
        mark = 1000 + item.group
        rows.extend(_Row(_frame(item, p), p, mark, item.object_id) for p in parts_of(item))
    rows.extend(_structure(room, rng))
    rows.extend(_pictures(room, rng))
    u = rng.uniform(-0.2, 0.2, 2).tolist()
    light = np.array([u[0] * room.width, u[1] * room.depth, room.height - 0.15])
    return Surfaces(
        frame=np.array([r.frame for r in rows]),
        rgb=np.array([r.part.rgb for r in rows]),
        material=np.array([int(r.part.material) for r in rows], dtype=np.int64),
        seed=np.array([r.seed for r in rows], dtype=np.int64),
        object_id=np.array([r.object_id for r in rows], dtype=np.int32),
        sides=np.array([r.part.sides for r in rows], dtype=np.int64),
        taper=np.array([r.part.taper for r in rows]),
        light=light,
    )


def _frame(item: Item, part: Part) -> tuple[float, ...]:
    c, s = math.cos(item.yaw), math.sin(item.yaw)
    x, y, z = part.center
    center = (item.center[0] + c * x - s * y, item.center[1] + s * x + c * y, item.bottom + z)
    return (*center, c, s, *part.size)


def _whole(item: Item, rgb: tuple[float, float, float], material: Material) -> Part:
    return Part((0.0, 0.0, item.size[2] / 2), item.size, rgb, material)


def _structure(room: Room, rng: np.random.Generator) -> list[_Row]:
    """Floor, walls of two materials, ceiling, skirting, door and windows."""
    floor = FLOORS[int(rng.integers(len(FLOORS)))]
    floor_rgb = _FLOOR_COLORS[int(rng.integers(len(_FLOOR_COLORS)))]
    tints = rng.permutation(len(_WALL_COLORS)).tolist()
    papers = rng.permutation(len(WALLS)).tolist()
    odd = int(rng.integers(4))
    rows: list[_Row] = []
    side = 0
    for item in room.structure:
        mark = int(rng.integers(1 << 20))
        if item.label == "floor":
            rows.append(
                _Row(
                    _frame(item, _whole(item, floor_rgb, floor)),
                    _whole(item, floor_rgb, floor),
                    mark,
                    item.object_id,
                )
            )
        elif item.label == "wall":
            # One wall unlike the others, and slightly different tints, tell the views apart.
            paper = WALLS[papers[0]] if side == odd else WALLS[papers[1 + (side % 2)]]
            tint = _WALL_COLORS[tints[0 if side == odd else 1 + side % 3]]
            part = _whole(item, tint, paper)
            rows.append(_Row(_frame(item, part), part, mark, item.object_id))
            skirting = Part(
                (item.size[0] / 2 + 0.006, 0.0, 0.04), (0.012, item.size[1], 0.08), (112.0, 108.0, 104.0)
            )
            rows.append(_Row(_frame(item, skirting), skirting, mark, NOTHING))
            side += 1
        else:
            rows.extend(_Row(_frame(item, p), p, mark, item.object_id) for p in parts_of(item))
    ceiling = Item(
        NOTHING, "ceiling", "", -1, (0.0, 0.0, room.height + 0.05), (room.width, room.depth, 0.1), 0.0
    )
    part = _whole(ceiling, _CEILING, Material.PLASTER)
    rows.append(_Row(_frame(ceiling, part), part, 1, NOTHING))
    return rows


def _pictures(room: Room, rng: np.random.Generator) -> list[_Row]:
    """Zero to two pictures a wall, clear of door and windows, above the furniture against it."""
    rows: list[_Row] = []
    walls = [i for i in room.structure if i.label == "wall"]
    for side, wall in enumerate(walls):
        taken = [_span(wall, i) for i in room.structure if i.label in ("door", "window")]
        taken += [_span(wall, i) for i in room.items if i.top > 1.2]
        for _ in range(int(rng.integers(0, 4))):
            u = rng.random(5).tolist()
            wide, tall = 0.35 + 0.5 * u[0], 0.3 + 0.35 * u[1]
            t = (u[2] - 0.5) * (wall.size[1] - wide - 0.3)
            if any(near and abs(t - mid) < half + wide / 2 + 0.08 for near, mid, half in taken):
                continue
            taken.append((True, t, wide / 2))
            frame = (92.0, 88.0, 84.0) if u[4] < 0.5 else (176.0, 170.0, 160.0)
            part = Part(
                (wall.size[0] / 2 + 0.0125, t, 1.45 + 0.2 * u[3]),
                (0.025, wide, tall),
                frame,
                Material.PICTURE,
            )
            rows.append(_Row(_frame(wall, part), part, int(rng.integers(1 << 20)) + side, NOTHING))
    return rows


def _span(wall: Item, item: Item) -> tuple[bool, float, float]:
    """Whether an object is within half a metre of a wall, its position along it, and half its width."""
    c, s = math.cos(wall.yaw), math.sin(wall.yaw)
    dx, dy = item.center[0] - wall.center[0], item.center[1] - wall.center[1]
    reach = item.footprint.reach()
    half = reach[0] * abs(s) + reach[1] * abs(c)
    away = abs(c * dx + s * dy) - (reach[0] * abs(c) + reach[1] * abs(s))
    return away < 0.5, c * dy - s * dx, half
