"""The parts of a room as triangles, for the ray caster."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from vantage.scans.generated.surfaces import Surfaces


@dataclass(frozen=True)
class Triangles:
    """The parts as triangles with outward normals."""

    vertices: Float64[np.ndarray, "V 3"]
    faces: Int64[np.ndarray, "F 3"]
    part: Int64[np.ndarray, "F"]
    normal: Float64[np.ndarray, "F 3"]


_BOX_CORNERS = np.array(
    [[x, y, z] for z in (-0.5, 0.5) for x, y in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))]
)


def _prism(sides: int) -> tuple[Float64[np.ndarray, "C 3"], Int64[np.ndarray, "T 3"]]:
    """Unit prism: corners (base first, then top) and triangles, counter-clockwise seen from outside."""
    if sides == 4:
        corners = _BOX_CORNERS
    else:
        a = 2 * math.pi * np.arange(sides) / sides
        ring = 0.5 * np.stack([np.cos(a), np.sin(a)], 1)
        corners = np.concatenate([np.c_[ring, np.full(sides, -0.5)], np.c_[ring, np.full(sides, 0.5)]])
    faces: list[tuple[int, int, int]] = []
    for k in range(sides):
        n = (k + 1) % sides
        faces += [(k, n, sides + n), (k, sides + n, sides + k)]
    for k in range(1, sides - 1):
        faces += [(0, k + 1, k), (sides, sides + k, sides + k + 1)]
    return corners, np.array(faces, dtype=np.int64)


_PRISMS = {n: _prism(n) for n in (4, 8, 12)}


def triangles_of(surfaces: Surfaces) -> Triangles:
    """Triangles of all parts, in the order of the parts."""
    order: list[Int64[np.ndarray, "F"]] = []
    vertices: list[Float64[np.ndarray, "V 3"]] = []
    faces: list[Int64[np.ndarray, "F 3"]] = []
    offset = 0
    for sides, (unit, unit_faces) in _PRISMS.items():
        rows = np.flatnonzero(surfaces.sides == sides)
        if not len(rows):
            continue
        frame = surfaces.frame[rows]
        local = unit[None] * frame[:, None, 5:8]
        scale = np.where(unit[None, :, 2:] > 0, surfaces.taper[rows][:, None, None], 1.0)
        xy = local[..., :2] * scale
        c, s = frame[:, None, 3], frame[:, None, 4]
        world = np.stack(
            [c * xy[..., 0] - s * xy[..., 1], s * xy[..., 0] + c * xy[..., 1], local[..., 2]], -1
        )
        vertices.append((world + frame[:, None, :3]).reshape(-1, 3))
        shift = offset + len(unit) * np.arange(len(rows))[:, None, None]
        faces.append((unit_faces[None] + shift).reshape(-1, 3))
        order.append(np.repeat(rows, len(unit_faces)))
        offset += len(unit) * len(rows)
    v, f, part = np.concatenate(vertices), np.concatenate(faces), np.concatenate(order)
    normal = np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return Triangles(v, f, part.astype(np.int64), normal)
