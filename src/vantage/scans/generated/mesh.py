"""The mesh that a reconstruction of the room would give: coloured vertices, segments, objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8

from vantage.core.seeds import rng as make_rng
from vantage.geometry.transforms import apply
from vantage.scans.generated.surfaces import NOTHING, Surfaces

_JITTER = 0.002
"""Noise of vertices, metres."""
_SEGMENT = 1.2
"""Large faces are cut into segments of about this many metres."""


@dataclass(frozen=True, eq=False)
class ScanMesh:
    """Vertices in the raw world (metres) with colour, object id (-1: none) and segment; triangles."""

    vertices: Float32[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    object_id: Int32[np.ndarray, "n"]
    segment: Int32[np.ndarray, "n"]


@dataclass
class _Patch:
    """One face of one part: vertices in the part's axes, triangles, outward normal, cells for segments."""

    points: Float64[np.ndarray, "n 3"]
    faces: Int64[np.ndarray, "f 3"]
    normal: Float64[np.ndarray, "3"]
    cell: Int64[np.ndarray, "n"]


def scan_mesh(
    surfaces: Surfaces, T_raw_aligned: Float64[np.ndarray, "4 4"], edge: float, seed: int, key: str
) -> ScanMesh:
    """Tessellate what a camera at eye height could see: undersides, outer walls and the ceiling are left out.

    `edge` bounds the sides of the triangles' right angles (metres). `seed` and `key` decide the noise.
    """
    points, faces, parts, normals, segments = [], [], [], [], []
    count = segment = 0
    for part in range(len(surfaces.object_id)):
        for patch in _patches(surfaces, part, edge):
            world = _to_world(surfaces.frame[part], patch.points)
            points.append(world)
            faces.append(patch.faces + count)
            parts.append(np.full(len(world), part))
            normals.append(
                np.broadcast_to(_to_world_direction(surfaces.frame[part], patch.normal), world.shape)
            )
            segments.append(patch.cell + segment)
            count += len(world)
            segment += int(patch.cell.max()) + 1
    vertices, part_of = np.concatenate(points), np.concatenate(parts).astype(np.int64)
    colors = _colors(surfaces, vertices, np.concatenate(normals), part_of)
    noise = make_rng(seed, "mesh", key).normal(0.0, _JITTER, vertices.shape)
    raw = apply(T_raw_aligned, vertices + noise)
    return ScanMesh(
        vertices=raw.astype(np.float32),
        colors=colors,
        faces=np.concatenate(faces).astype(np.int32),
        object_id=surfaces.object_id[part_of],
        segment=np.concatenate(segments).astype(np.int32),
    )


def _patches(surfaces: Surfaces, part: int, edge: float) -> list[_Patch]:
    size = surfaces.frame[part, 5:8]
    sides = int(surfaces.sides[part])
    if sides != 4:
        return _round(size, sides, float(surfaces.taper[part]), edge)
    shown = [(0, 1), (0, -1), (1, 1), (1, -1), (2, 1)]
    bottom = surfaces.frame[part, 2] - size[2] / 2
    if bottom < -0.05:
        shown = [(2, 1)]  # the floor
    elif size[2] > 2.2:
        shown = [(0, 1)]  # a wall
    elif surfaces.object_id[part] == NOTHING:
        shown = [] if bottom > 2.2 else [(0, 1), (2, 1)]  # no ceiling; pictures and skirting from the front
    return [_rectangle(size, axis, sign, edge) for axis, sign in shown]


def _grid(columns: int, rows: int) -> Int64[np.ndarray, "f 3"]:
    """Triangles of a grid of (columns+1) x (rows+1) vertices, the second index running fastest."""
    i, j = np.meshgrid(np.arange(columns), np.arange(rows), indexing="ij")
    a = (i * (rows + 1) + j).ravel()
    b, c, d = a + rows + 1, a + rows + 2, a + 1
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def _rectangle(size: Float64[np.ndarray, "3"], axis: int, sign: int, edge: float) -> _Patch:
    u_axis, v_axis = (axis + 1) % 3, (axis + 2) % 3
    counts = [max(1, int(np.ceil(size[k] / edge))) for k in (u_axis, v_axis)]
    u, v = np.meshgrid(*[np.linspace(-0.5, 0.5, n + 1) for n in counts], indexing="ij")
    points = np.zeros((u.size, 3))
    points[:, u_axis] = u.ravel() * size[u_axis]
    points[:, v_axis] = v.ravel() * size[v_axis]
    points[:, axis] = sign * size[axis] / 2
    faces = _grid(*counts)
    normal = np.zeros(3)
    normal[axis] = sign
    blocks = [max(1, round(size[k] / _SEGMENT)) for k in (u_axis, v_axis)]
    cell_u = np.minimum(((u + 0.5) * blocks[0]).astype(np.int64), blocks[0] - 1)
    cell_v = np.minimum(((v + 0.5) * blocks[1]).astype(np.int64), blocks[1] - 1)
    cell = (cell_u * blocks[1] + cell_v).ravel()
    return _Patch(points, faces if sign > 0 else faces[:, ::-1], normal, cell)


def _round(size: Float64[np.ndarray, "3"], sides: int, taper: float, edge: float) -> list[_Patch]:
    """The flat sides and the upper end of an upright round part."""
    angles = 2 * np.pi * np.arange(sides + 1) / sides
    rows = max(1, int(np.ceil(size[2] / edge)))
    height = np.linspace(0.0, 1.0, rows + 1)
    patches = []
    for k in range(sides):
        ends = 0.5 * np.stack([np.cos(angles[k : k + 2]), np.sin(angles[k : k + 2])], 1) * size[:2]
        columns = max(1, int(np.ceil(np.linalg.norm(ends[1] - ends[0]) / edge)))
        chord = ends[0] + np.linspace(0, 1, columns + 1)[:, None] * (ends[1] - ends[0])
        ring = chord[:, None] * (1 + (taper - 1) * height)[None, :, None]
        up = np.broadcast_to(((height - 0.5) * size[2])[None, :, None], (columns + 1, rows + 1, 1))
        middle = (angles[k] + angles[k + 1]) / 2
        normal = np.array([np.cos(middle), np.sin(middle), 0.0])
        points = np.concatenate([ring, up], -1).reshape(-1, 3)
        patches.append(_Patch(points, _grid(columns, rows), normal, np.zeros(len(points), np.int64)))
    rim = 0.5 * taper * np.stack([np.cos(angles[:-1]), np.sin(angles[:-1])], 1) * size[:2]
    top = np.concatenate([np.r_[np.zeros((1, 2)), rim], np.full((sides + 1, 1), size[2] / 2)], 1)
    after = np.arange(1, sides + 1) % sides + 1
    fan = np.stack([np.zeros(sides, np.int64), np.arange(1, sides + 1), after], 1)
    patches.append(_Patch(top, fan, np.array([0.0, 0.0, 1.0]), np.zeros(len(top), np.int64)))
    return patches


def _to_world(
    frame: Float64[np.ndarray, "8"], points: Float64[np.ndarray, "n 3"]
) -> Float64[np.ndarray, "n 3"]:
    return np.asarray(_to_world_direction(frame, points) + frame[:3])


def _to_world_direction(
    frame: Float64[np.ndarray, "8"], vectors: Float64[np.ndarray, "*n 3"]
) -> Float64[np.ndarray, "*n 3"]:
    c, s = frame[3], frame[4]
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([c * x - s * y, s * x + c * y, vectors[..., 2]], -1)


def _colors(
    surfaces: Surfaces,
    vertices: Float64[np.ndarray, "n 3"],
    normals: Float64[np.ndarray, "n 3"],
    part_of: Int64[np.ndarray, "n"],
) -> UInt8[np.ndarray, "n 3"]:
    from vantage.scans.generated.shade import color_points

    s = surfaces
    colors = np.empty((len(vertices), 3), np.uint8)
    color_points(vertices, normals, part_of, 0.03, s.frame, s.rgb, s.material, s.seed, s.light, colors)
    return colors
