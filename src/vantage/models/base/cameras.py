"""Cameras for the base's scenes: hand-held heights and pitches, anywhere free in a room."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, compose
from vantage.scans.generated.room import Rectangle, Room, overlaps_any

HALF_WIDTH = math.tan(math.radians(37.5))
"""Half the image's width at one metre: a horizontal field of view of 75 degrees, and 4:3 squashed to a
square."""
MODEL_CAMERA = Pinhole(64, 64, 32 / HALF_WIDTH, 32 / (0.75 * HALF_WIDTH), 31.5, 31.5)


def random_cameras(room: Room, rng: np.random.Generator, n: int) -> list[Float64[np.ndarray, "4 4"]]:
    """`n` poses `T_aligned_cam` in the free space of `room`: height 1.2 to 1.7 m, pitch down 0.2 to 0.45 rad.

    Two thirds look across the room (within 60 degrees of its middle), the rest anywhere, as a hand-held
    scan does.
    """
    blocked = [item.footprint.grown(0.15) for item in room.items if item.bottom < 1.0]
    poses = []
    for _ in range(n):
        x, y = _free_spot(room, blocked, rng)
        toward = math.atan2(-y, -x)
        spread = math.pi / 3 if rng.random() < 0.67 else math.pi
        yaw = toward + rng.uniform(-spread, spread)
        poses.append(camera_pose(x, y, rng.uniform(1.2, 1.7), yaw, rng.uniform(0.2, 0.45)))
    return poses


def camera_pose(x: float, y: float, z: float, yaw: float, pitch: float) -> Float64[np.ndarray, "4 4"]:
    """`T_aligned_cam` at (x, y, z) metres, looking along `yaw` and `pitch` radians downwards."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    forward_left_up = np.array([[cy * cp, -sy, cy * sp], [sy * cp, cy, sy * sp], [-sp, 0.0, cp]])
    return compose(forward_left_up @ R_FLU_RDF, np.array([x, y, z]))


def _free_spot(room: Room, blocked: Sequence[Rectangle], rng: np.random.Generator) -> tuple[float, float]:
    reach_x, reach_y = room.width / 2 - 0.3, room.depth / 2 - 0.3
    x, y = 0.0, 0.0
    for _ in range(40):
        x, y = rng.uniform(-reach_x, reach_x), rng.uniform(-reach_y, reach_y)
        if not overlaps_any(Rectangle(x, y, 0.02, 0.02, 0.0), blocked):
            break
    return x, y
