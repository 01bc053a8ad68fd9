"""A hand-held camera walked through the free floor of a room, looking round all of it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from vantage.core.seeds import rng as make_rng
from vantage.scans.generated.room import Room
from vantage.scans.generated.walkable import CELL, Floor, clearance, walkable, way

LOWEST, HIGHEST = 1.2, 1.7
"""Height of the camera, metres."""
PITCH_LEAST, PITCH_MOST = 0.2, 0.45
"""Pitch below the horizon, radians."""

_FINE = 12
_STOPS = 5


def camera_path(room: Room, seed: int, key: str, frames: int) -> Float64[np.ndarray, "frames 4 4"]:
    """Poses `T_aligned_cam` of a walk through the room; another `key` (a scan's id) walks another way.

    The camera stays over free floor, at 1.2 to 1.7 m, looking 0.2 to 0.45 rad down. What it looks at goes
    round the room along the walls, and it lingers where it looks across the room.
    """
    rng = make_rng(seed, "path", key)
    track = _track(room, rng, frames * _FINE)
    t = np.linspace(0.0, 1.0, len(track))
    yaw = _heading(room, rng, track, t) + _sway(rng, t, 0.15)
    height = _within(rng, t, LOWEST, HIGHEST, 0.08)
    pitch = _within(rng, t, PITCH_LEAST, PITCH_MOST, 0.07)
    pick = _lingering(room, track, yaw, frames)
    jitter = rng.normal(size=(frames, 4)) * np.array([0.008, 0.008, 0.015, 0.02])
    x, y = (track[pick] + jitter[:, :2]).T
    z = np.clip(height[pick], LOWEST, HIGHEST)
    roll = _sway(rng, t, 0.02)[pick] + jitter[:, 2] * 0.5
    down = np.clip(pitch[pick] + jitter[:, 2], PITCH_LEAST, PITCH_MOST)
    return looking(np.stack([x, y, z], 1), yaw[pick] + jitter[:, 3], down, roll)


def _heading(
    room: Room, rng: np.random.Generator, track: Float64[np.ndarray, "n 2"], t: Float64[np.ndarray, "n"]
) -> Float64[np.ndarray, "n"]:
    """Where to look: at a place that goes round the room 1 to 1.4 times, near the walls."""
    turn = rng.choice([-1.0, 1.0]) * 2 * math.pi * rng.uniform(1.0, 1.4)
    around = rng.uniform(-math.pi, math.pi) + turn * t
    reach = 0.42 * np.array([room.width, room.depth])
    target = reach * np.stack([np.cos(around), np.sin(around)], 1)
    away = target - track
    yaw = np.unwrap(np.arctan2(away[:, 1], away[:, 0]))
    return _smoothed(yaw[:, None], max(2, len(t) // 12))[:, 0]


def looking(
    position: Float64[np.ndarray, "n 3"],
    yaw: Float64[np.ndarray, "n"],
    pitch: Float64[np.ndarray, "n"],
    roll: Float64[np.ndarray, "n"],
) -> Float64[np.ndarray, "n 4 4"]:
    """Poses `T_world_cam` at positions (m), heading `yaw` and looking `pitch` below the horizon (radians)."""
    c, s, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    forward = np.stack([cp * c, cp * s, -sp], 1)
    right = np.stack([s, -c, np.zeros_like(c)], 1)
    below = np.cross(forward, right)
    cr, sr = np.cos(roll)[:, None], np.sin(roll)[:, None]
    T = np.zeros((len(yaw), 4, 4))
    T[:, :3, 0] = cr * right + sr * below
    T[:, :3, 1] = cr * below - sr * right
    T[:, :3, 2] = forward
    T[:, :3, 3] = position
    T[:, 3, 3] = 1.0
    return T


def _track(room: Room, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "n 2"]:
    """A smooth walk over free floor, `n` positions at an even pace."""
    floor = walkable(room)
    stops = _stops(floor, rng)
    legs = [way(floor.free, a, b) for a, b in pairwise(stops)]
    rough = floor.world(np.concatenate(legs))
    rough = rough + rng.uniform(-0.2, 0.2, 2) * CELL
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(rough, axis=0).T) + 1e-3)]
    even = np.linspace(0.0, along[-1], n)
    track = np.stack([np.interp(even, along, rough[:, k]) for k in range(2)], 1)
    smooth = _smoothed(track, max(2, int(0.35 / max(along[-1] / n, 1e-3))))
    # Smoothing cuts corners: go back towards the walked cells where it comes too near to something.
    for _ in range(4):
        near = clearance(room, smooth) < floor.margin - 0.05
        if not near.any():
            break
        pull = _smoothed(near.astype(np.float64)[:, None], 4)
        smooth = smooth + np.clip(2 * pull, 0, 1) * (track - smooth)
    return smooth


def _smoothed(values: Float64[np.ndarray, "n k"], radius: int) -> Float64[np.ndarray, "n k"]:
    x = np.arange(-2 * radius, 2 * radius + 1) / radius
    weights = np.exp(-(x**2))
    weights /= weights.sum()
    padded = np.pad(values, ((2 * radius, 2 * radius), (0, 0)), mode="edge")
    return np.asarray(
        np.stack([np.convolve(padded[:, k], weights, "valid") for k in range(values.shape[1])], 1)
    )


def _stops(floor: Floor, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Places to walk to: each far from those before, visited in the order of their bearing."""
    cells = np.argwhere(floor.free)
    chosen = [cells[int(rng.integers(len(cells)))]]
    for _ in range(_STOPS - 1):
        away = np.min([np.hypot(*(cells - c).T) for c in chosen], axis=0)
        far = np.flatnonzero(away >= np.quantile(away, 0.85))
        chosen.append(cells[int(far[rng.integers(len(far))])])
    middle = np.mean(chosen, axis=0)
    bearing = [math.atan2(*(c - middle)) for c in chosen]
    order = np.argsort(bearing)
    return [(int(chosen[k][0]), int(chosen[k][1])) for k in np.roll(order, int(rng.integers(_STOPS)))]


def _sway(rng: np.random.Generator, t: Float64[np.ndarray, "n"], size: float) -> Float64[np.ndarray, "n"]:
    waves = rng.uniform(2.0, 5.0, 2)
    phase = rng.uniform(0, 2 * math.pi, 2)
    swing = np.sin(2 * math.pi * waves[0] * t + phase[0]) + 0.5 * np.sin(
        2 * math.pi * waves[1] * t + phase[1]
    )
    return np.asarray(size * swing / 1.5)


def _within(
    rng: np.random.Generator, t: Float64[np.ndarray, "n"], low: float, high: float, size: float
) -> Float64[np.ndarray, "n"]:
    """A level of its own per walk, swaying by `size`, kept within the range."""
    return np.asarray(np.clip(rng.uniform(low + size / 2, high - size / 2) + _sway(rng, t, size), low, high))


def _lingering(
    room: Room, track: Float64[np.ndarray, "n 2"], yaw: Float64[np.ndarray, "n"], frames: int
) -> np.ndarray:
    """Indices of `frames` instants, more of them where the wall ahead is far."""
    c, s = np.cos(yaw), np.sin(yaw)
    ahead_x = (room.width / 2 - np.sign(c) * track[:, 0]) / np.maximum(np.abs(c), 1e-6)
    ahead_y = (room.depth / 2 - np.sign(s) * track[:, 1]) / np.maximum(np.abs(s), 1e-6)
    ahead = np.clip(np.minimum(ahead_x, ahead_y), 0.7, 2.5)
    share = np.cumsum(ahead)
    wanted = (np.arange(frames) + 0.5) / frames * share[-1]
    return np.asarray(np.minimum(np.searchsorted(share, wanted), len(track) - 1))
