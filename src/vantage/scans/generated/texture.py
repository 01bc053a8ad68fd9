"""The materials that surfaces can have; `shade` says what they look like."""

from __future__ import annotations

from enum import IntEnum


class Material(IntEnum):
    """What a surface is made of; the compiled shading reads the number: add at the end, never renumber."""

    PLAIN = 0
    WOOD = 1
    FABRIC = 2
    PLANKS = 3
    TILES = 4
    CARPET = 5
    PLASTER = 6
    STRIPES = 7
    DIAMONDS = 8
    BRICK = 9
    PANEL = 10
    SKY = 11
    SCREEN = 12
    PICTURE = 13
    GLOW = 14
    BOOKS = 15
    CARDBOARD = 16


FLOORS: tuple[Material, ...] = (Material.PLANKS, Material.TILES, Material.CARPET)
WALLS: tuple[Material, ...] = (
    Material.PLASTER,
    Material.STRIPES,
    Material.DIAMONDS,
    Material.BRICK,
    Material.PANEL,
)
