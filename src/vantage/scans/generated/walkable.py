"""Where a person can walk in a room: clearance of the floor, and the way from place to place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vantage.scans.generated.room import Room

CELL = 0.1
_CLEARANCES = (0.32, 0.27, 0.22, 0.17)


def clearance(room: Room, xy: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n"]:
    """Distance in metres from each point to the nearest furniture footprint or wall; negative inside."""
    feet = [i.footprint for i in room.items if i.on < 0]
    walls = np.minimum(room.width / 2 - np.abs(xy[:, 0]), room.depth / 2 - np.abs(xy[:, 1]))
    f = np.array([(r.x, r.y, r.hx, r.hy, math.cos(r.yaw), math.sin(r.yaw)) for r in feet])
    dx, dy = xy[:, 0] - f[:, :1], xy[:, 1] - f[:, 1:2]
    ax = np.abs(f[:, 4:5] * dx + f[:, 5:6] * dy) - f[:, 2:3]
    ay = np.abs(f[:, 4:5] * dy - f[:, 5:6] * dx) - f[:, 3:4]
    outside = np.hypot(np.maximum(ax, 0), np.maximum(ay, 0))
    away = np.where((ax < 0) & (ay < 0), np.maximum(ax, ay), outside)
    return np.asarray(np.minimum(away.min(axis=0), walls))


@dataclass(frozen=True)
class Floor:
    """The largest connected piece of walkable floor on a grid of 10 cm."""

    free: Bool[np.ndarray, "nx ny"]
    origin: tuple[float, float]
    """World position of the middle of cell (0, 0)."""
    margin: float
    """Clearance in metres that every free cell has."""

    def world(self, cells: Int64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n 2"]:
        """Middles of cells in the aligned world."""
        return np.asarray(cells * CELL + np.array(self.origin))


def walkable(room: Room) -> Floor:
    """The largest connected free floor, with as much clearance as leaves a tenth of the room to walk on."""
    from scipy import ndimage

    nx, ny = int(room.width / CELL), int(room.depth / CELL)
    origin = (-(nx - 1) * CELL / 2, -(ny - 1) * CELL / 2)
    cells = np.stack(np.meshgrid(np.arange(nx), np.arange(ny), indexing="ij"), -1).reshape(-1, 2)
    away = clearance(room, cells * CELL + np.array(origin)).reshape(nx, ny)
    best = None
    for margin in _CLEARANCES:
        labels, count = ndimage.label(away > margin)
        if not count:
            continue
        areas = np.bincount(labels.ravel())
        areas[0] = 0
        best = Floor(labels == int(areas.argmax()), origin, margin)
        if areas.max() > 0.1 * nx * ny:
            break
    if best is None:
        raise ValueError(f"room {room.room_id} has no floor to walk on")
    return best


def way(
    free: Bool[np.ndarray, "nx ny"], start: tuple[int, int], goal: tuple[int, int]
) -> Int64[np.ndarray, "n 2"]:
    """Cells of a shortest way between two free cells of one connected piece, both ends included."""
    from vantage.scans.generated.kernels import flood

    steps = np.full(free.shape, -1, np.int64)
    flood(free, goal[0], goal[1], steps)
    here = start
    cells = [here]
    while here != goal:
        i, j = here
        around = [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]
        inside = [c for c in around if 0 <= c[0] < free.shape[0] and 0 <= c[1] < free.shape[1]]
        here = min((c for c in inside if steps[c] >= 0), key=lambda c: steps[c])
        cells.append(here)
    return np.array(cells, dtype=np.int64)
