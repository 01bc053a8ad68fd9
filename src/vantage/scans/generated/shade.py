"""The shading kernels: the colour of a surface point, textures and light included.

Textures are functions of position alone, so that a point looks the same from every view. Detail finer than
a pixel fades into its mean instead of flickering. The compiler's cache notices a change of the file that a
function is in, not of those it calls from elsewhere: so the loops over pixels stand here, too.
"""

from __future__ import annotations

import math

import numpy as np

from vantage.geometry.compiled import compiled
from vantage.scans.generated.texture import Material

_WOOD = int(Material.WOOD)
_FABRIC = int(Material.FABRIC)
_PLANKS = int(Material.PLANKS)
_TILES = int(Material.TILES)
_CARPET = int(Material.CARPET)
_PLASTER = int(Material.PLASTER)
_STRIPES = int(Material.STRIPES)
_DIAMONDS = int(Material.DIAMONDS)
_BRICK = int(Material.BRICK)
_PANEL = int(Material.PANEL)
_SKY = int(Material.SKY)
_SCREEN = int(Material.SCREEN)
_PICTURE = int(Material.PICTURE)
_GLOW = int(Material.GLOW)
_BOOKS = int(Material.BOOKS)
_CARDBOARD = int(Material.CARDBOARD)


@compiled
def hashed(i: int, j: int, seed: int) -> float:
    """A number in [0, 1) for a cell of an integer lattice."""
    h = np.uint32(i * 374761393 + j * 668265263 + seed * 2147483647 + 974711)
    h = np.uint32((h ^ (h >> np.uint32(13))) * np.uint32(1274126177))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(2246822519))
    return float((h ^ (h >> np.uint32(16))) >> np.uint32(8)) / 16777216.0


@compiled
def noise(x: float, y: float, seed: int) -> float:
    """Smooth value noise in [-1, 1] with one lattice cell a unit."""
    i, j = math.floor(x), math.floor(y)
    fx, fy = x - i, y - j
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    a = hashed(i, j, seed) * (1 - fx) + hashed(i + 1, j, seed) * fx
    b = hashed(i, j + 1, seed) * (1 - fx) + hashed(i + 1, j + 1, seed) * fx
    return 2 * (a * (1 - fy) + b * fy) - 1


@compiled
def fade(period: float, pixel: float) -> float:
    """How much of a pattern of this period shows when a pixel covers `pixel` metres."""
    return min(1.0, max(0.0, period / (2.0 * pixel) - 0.5))


@compiled
def seam(x: float, period: float, half: float, pixel: float) -> float:
    """How much of a pixel lies in the joints of half-width `half` that repeat with `period`."""
    d = abs(x - period * math.floor(x / period + 0.5))
    wide = max(half, pixel / 2)
    return (half / wide) * min(1.0, max(0.0, (wide - d) / (0.5 * wide) + 0.5))


@compiled
def tone(material: int, u: float, v: float, wide: float, tall: float, seed: int, pixel: float) -> float:
    """Brightness of a textured surface about 1; u runs along and v up the face, metres from its middle."""
    if material == _WOOD:
        if wide < tall:
            u, v = v, u
        return 1.0 + 0.05 * noise(1.3 * u, 28 * v, seed) * fade(0.07, pixel)
    if material == _FABRIC:
        return 1.0 + 0.05 * noise(9 * u, 9 * v, seed) * fade(0.22, pixel)
    if material == _PLANKS:
        row = math.floor(v / 0.15)
        shift = 1.4 * hashed(row, 5, seed)
        column = math.floor((u + shift) / 1.4)
        t = 1.0 + 0.20 * (hashed(column, row, seed + 1) - 0.5)
        t += 0.05 * noise(2.5 * u + 7.0 * row, 40 * v, seed) * fade(0.05, pixel)
        joint = max(seam(v, 0.15, 0.004, pixel), seam(u + shift, 1.4, 0.003, pixel))
        return t * (1.0 - 0.45 * joint)
    if material == _TILES:
        i, j = math.floor(u / 0.4), math.floor(v / 0.4)
        checker = 0.16 * ((i + j) % 2) if seed % 2 else 0.0
        t = 1.0 + 0.10 * (hashed(i, j, seed) - 0.5) - checker + 0.02 * noise(8 * u, 8 * v, seed)
        return t * (1.0 - 0.30 * max(seam(u, 0.4, 0.006, pixel), seam(v, 0.4, 0.006, pixel)))
    if material == _CARPET:
        t = 1.0 + 0.06 * noise(3 * u, 3 * v, seed) + 0.08 * noise(45 * u, 45 * v, seed) * fade(0.045, pixel)
        ring = max(abs(u) / max(wide, 1e-6), abs(v) / max(tall, 1e-6)) * 2
        return t * (0.86 if 0.62 < ring < 0.70 else 1.0)
    if material == _CARDBOARD:
        return 1.0 + 0.03 * noise(2 * u, 60 * v, seed) * fade(0.03, pixel) - 0.05 * (abs(v) > 0.46 * tall)
    return wall_tone(material, u, v, seed, pixel)


@compiled
def wall_tone(material: int, u: float, v: float, seed: int, pixel: float) -> float:
    """Brightness of walls and of what hangs on them; v is the height above the middle of the wall."""
    if material == _PLASTER:
        return 1.0 + 0.07 * noise(1.1 * u, 1.1 * v, seed) + 0.035 * noise(9 * u, 9 * v, seed + 1)
    if material == _STRIPES:
        period = 0.24 + 0.2 * hashed(1, 2, seed)
        phase = u / period - math.floor(u / period)
        edge = min(abs(phase - 0.5), 0.5 - abs(phase - 0.5)) * period
        soft = min(1.0, edge / max(pixel / 2, 1e-6))
        return 1.0 + (0.09 if phase < 0.5 else -0.09) * soft + 0.02 * noise(2 * u, 2 * v, seed)
    if material == _DIAMONDS:
        p = 0.20 + 0.12 * hashed(3, 4, seed)
        a, b = (u + v) / p, (u - v) / p
        inner = max(abs(a - math.floor(a) - 0.5), abs(b - math.floor(b) - 0.5))
        return 1.0 + (0.11 if inner < 0.27 else -0.06) * fade(p, pixel) + 0.03 * noise(u, v, seed)
    if material == _BRICK:
        row = math.floor(v / 0.11)
        shift = 0.15 * (row % 2)
        brick = math.floor((u + shift) / 0.30)
        t = 1.0 + 0.16 * (hashed(brick, row, seed) - 0.5)
        joint = max(seam(v, 0.11, 0.007, pixel), seam(u + shift, 0.30, 0.007, pixel))
        return t * (1.0 - 0.20 * joint)
    if material == _PANEL:
        if v > -0.35:
            return 1.0 + 0.05 * noise(1.2 * u, 1.2 * v, seed)
        low = 0.80 * (1.0 - 0.25 * seam(u, 0.62, 0.012, pixel))
        return low * (1.18 if v > -0.41 else 1.0) + 0.02 * noise(3 * u, 3 * v, seed)
    if material == _BOOKS:
        return 1.0 + 0.28 * (hashed(math.floor(u / 0.045), 0, seed) - 0.5) * fade(0.09, pixel)
    if material == _SCREEN:
        return 1.15 if abs(u + 0.7 * v) < 0.07 or abs(u + 0.7 * v - 0.17) < 0.03 else 1.0
    return 1.0 + 0.025 * noise(6 * u, 6 * v, seed)


@compiled
def picture(u: float, v: float, wide: float, tall: float, seed: int, out: np.ndarray) -> None:
    """A framed print in muted tones: bands, blocks or rings; `out` comes with the frame's colour."""
    if abs(u) > wide / 2 - 0.035 or abs(v) > tall / 2 - 0.035:
        return
    kind = int(3 * hashed(1, 1, seed))
    if kind == 0:
        cell = math.floor(5 * (v / tall + 0.5) + 0.4 * math.sin(9 * u / wide + seed))
    elif kind == 1:
        cell = 7 * math.floor(3 * (u / wide + 0.5)) + math.floor(3 * (v / tall + 0.5))
    else:
        cell = math.floor(7 * math.hypot(u / wide + 0.25 - 0.5 * hashed(2, 2, seed), v / tall))
    level = 70 + 130 * hashed(cell, 3, seed)
    hue = hashed(cell, 4, seed) - 0.5
    out[0] = level * (1 + 0.22 * hue)
    out[1] = level
    out[2] = level * (1 - 0.30 * hue)


@compiled
def shade(
    point: np.ndarray,
    normal: np.ndarray,
    frame: np.ndarray,
    rgb: np.ndarray,
    material: int,
    seed: int,
    light: np.ndarray,
    pixel: float,
    out: np.ndarray,
) -> None:
    """The colour (0-255, not clipped) of one point into `out`.

    `point`, `normal`: aligned world. `frame`: the part's centre (3), cosine and sine of its yaw, size (3).
    `light`: position of the lamp (3). `pixel`: metres that a pixel covers there.
    """
    c, s = frame[3], frame[4]
    dx, dy = point[0] - frame[0], point[1] - frame[1]
    x, y, z = c * dx + s * dy, c * dy - s * dx, point[2] - frame[2]
    nx, ny = c * normal[0] + s * normal[1], c * normal[1] - s * normal[0]
    if abs(normal[2]) > 0.7:
        u, v, wide, tall = x, y, frame[5], frame[6]
    elif abs(nx) >= abs(ny):
        u, v, wide, tall = y, z, frame[6], frame[7]
    else:
        u, v, wide, tall = x, z, frame[5], frame[7]
    out[0], out[1], out[2] = rgb[0], rgb[1], rgb[2]
    if material == _SKY:
        t = 0.94 + 0.10 * (v / tall) + 0.05 * noise(2.5 * u, 4 * v, seed)
        out[0], out[1], out[2] = out[0] * t, out[1] * t, out[2] * t
        return
    if material == _GLOW:
        t = 0.97 - 0.10 * (v / tall)
        out[0], out[1], out[2] = out[0] * t, out[1] * t, out[2] * t
        return
    if material == _PICTURE:
        picture(u, v, wide, tall, seed, out)
        t = 1.0
    else:
        t = tone(material, u, v, wide, tall, seed, pixel)
    lx, ly, lz = light[0] - point[0], light[1] - point[1], light[2] - point[2]
    away = math.sqrt(lx * lx + ly * ly + lz * lz) + 1e-6
    lambert = max(0.0, (lx * normal[0] + ly * normal[1] + lz * normal[2]) / away)
    # Little light reaches the foot of things: a cheap stand-in for contact shadow.
    corner = 0.90 + 0.10 * min(1.0, max(point[2], 0.0) / 0.5) if abs(normal[2]) < 0.7 else 1.0
    t *= (0.74 + 0.28 * lambert) * corner
    out[0], out[1], out[2] = out[0] * t, out[1] * t, out[2] * t


@compiled
def color_image(
    rays: np.ndarray,
    t: np.ndarray,
    primitive: np.ndarray,
    pixel: float,
    part_of: np.ndarray,
    normals: np.ndarray,
    frames: np.ndarray,
    rgb: np.ndarray,
    material: np.ndarray,
    seeds: np.ndarray,
    object_id: np.ndarray,
    light: np.ndarray,
    color: np.ndarray,
    depth: np.ndarray,
    ids: np.ndarray,
) -> None:
    """Shade every ray and average a pixel's; depth and id from the first, which is the pixel's centre.

    `pixel` is the angle (metres at one metre) between neighbouring rays.
    """
    point, total, one = np.empty(3), np.empty(3), np.empty(3)
    rays_a_pixel = rays.shape[3]
    for n in range(color.shape[0]):
        for i in range(color.shape[1]):
            for j in range(color.shape[2]):
                total[:] = 0.0
                depth[n, i, j] = 0.0
                ids[n, i, j] = -1
                for s in range(rays_a_pixel):
                    hit = t[n, i, j, s]
                    if not math.isfinite(hit):
                        continue
                    f = primitive[n, i, j, s]
                    p = part_of[f]
                    for k in range(3):
                        point[k] = rays[n, i, j, s, k] + hit * rays[n, i, j, s, 3 + k]
                    shade(
                        point, normals[f], frames[p], rgb[p], material[p], seeds[p], light, pixel * hit, one
                    )
                    for k in range(3):
                        total[k] += one[k]
                    if s == 0:
                        depth[n, i, j] = hit
                        ids[n, i, j] = object_id[p]
                for k in range(3):
                    color[n, i, j, k] = np.uint8(min(255.0, max(0.0, total[k] / rays_a_pixel + 0.5)))


@compiled
def color_points(
    points: np.ndarray,
    normals: np.ndarray,
    part_of: np.ndarray,
    pixel: float,
    frames: np.ndarray,
    rgb: np.ndarray,
    material: np.ndarray,
    seeds: np.ndarray,
    light: np.ndarray,
    color: np.ndarray,
) -> None:
    """Colours of surface points, with detail finer than `pixel` metres left out."""
    one = np.empty(3)
    for n in range(points.shape[0]):
        p = part_of[n]
        shade(points[n], normals[n], frames[p], rgb[p], material[p], seeds[p], light, pixel, one)
        for k in range(3):
            color[n, k] = np.uint8(min(255.0, max(0.0, one[k] + 0.5)))
