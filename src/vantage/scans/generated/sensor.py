"""What a hand-held depth sensor gets wrong: noise, holes, blur, exposure, lost tracking."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float32, Int16, UInt8, UInt16

from vantage.scans.generated.config import NoiseConfig
from vantage.scans.generated.render import DepthViews

_GRAZING = 0.30
_DARK = 40.0
_EDGE = 0.12
_HOLE = 8
"""Holes come in patches of this many pixels, too."""


def measured_depth(
    views: DepthViews, config: NoiseConfig, rng: np.random.Generator
) -> UInt16[np.ndarray, "V H W"]:
    """Depth as recorded: uint16 millimetres, 0 where nothing was measured.

    Noise grows with the square of depth. Lost are pixels beyond the range, at grazing incidence, on dark
    surfaces, along depth edges, and some at random, singly and in patches; with a dropout of 0, none.
    """
    out = np.empty(views.depth.shape, np.uint16)
    for k in range(len(out)):
        z = views.depth[k]
        chance = _loss(z, views.incidence[k], views.brightness[k], config)
        noisy = z + config.depth_noise * z * z * rng.standard_normal(z.shape, np.float32)
        lost = (rng.random(z.shape, np.float32) < chance) | (z <= 0)
        if config.depth_dropout > 0:
            lost |= _patches(z.shape, config.depth_dropout, rng)
        out[k] = np.where(lost, 0, np.clip(np.rint(noisy * 1000.0), 1, 65534))
    return out


def _loss(
    z: Float32[np.ndarray, "H W"],
    incidence: Float32[np.ndarray, "H W"],
    brightness: Float32[np.ndarray, "H W"],
    config: NoiseConfig,
) -> Float32[np.ndarray, "H W"]:
    """The chance of each pixel to be lost."""
    if config.depth_dropout <= 0:
        return np.zeros_like(z)
    chance = np.full_like(z, config.depth_dropout / 2)
    chance += np.clip((_GRAZING - incidence) / _GRAZING, 0, 1) * 0.8
    chance += np.clip((z - config.depth_range) / 0.5, 0, 1)
    chance += np.where(brightness < _DARK, np.float32(0.12), np.float32(0))
    jump = np.zeros(z.shape, bool)
    across, down = np.abs(np.diff(z, axis=1)) > _EDGE, np.abs(np.diff(z, axis=0)) > _EDGE
    jump[:, 1:] |= across
    jump[:, :-1] |= across
    jump[1:] |= down
    jump[:-1] |= down
    return np.asarray(chance + 0.5 * jump.astype(np.float32))


def _patches(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> Bool[np.ndarray, "H W"]:
    rows, columns = -(-shape[0] // _HOLE), -(-shape[1] // _HOLE)
    coarse = rng.random((rows, columns)) < share / 2
    return np.asarray(np.repeat(np.repeat(coarse, _HOLE, 0), _HOLE, 1)[: shape[0], : shape[1]])


def noise_tile(
    shape: tuple[int, int, int], config: NoiseConfig, rng: np.random.Generator
) -> Int16[np.ndarray, "H W 3"]:
    """One frame's worth of colour noise; frames use it shifted, because drawing it is what costs time."""
    return np.asarray(np.rint(config.color_noise * rng.standard_normal(shape, np.float32))).astype(np.int16)


def measured_color(
    color: UInt8[np.ndarray, "H W 3"],
    tile: Int16[np.ndarray, "H W 3"],
    config: NoiseConfig,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "H W 3"]:
    """Colour as recorded: perhaps blurred by motion, differently exposed, noisy."""
    u = rng.random(5)
    picture = color.astype(np.float32)
    if u[0] < config.blurred:
        picture = _blurred(picture, length=0.02 + 0.04 * u[1], angle=math.pi * u[2])
    picture *= np.clip(1.0 + config.exposure * rng.standard_normal(), 0.75, 1.25)
    shift = (int(u[3] * color.shape[0]), int(u[4] * color.shape[1]))
    picture += np.roll(tile, shift, axis=(0, 1))
    return np.asarray(np.clip(picture + 0.5, 0, 255).astype(np.uint8))


def _blurred(
    picture: Float32[np.ndarray, "H W 3"], length: float, angle: float
) -> Float32[np.ndarray, "H W 3"]:
    """The mean of the picture moved along a line; `length` is a share of its width."""
    reach = length * picture.shape[1] / 2
    steps = max(2, round(2 * reach))
    pad = math.ceil(reach)
    wide = np.pad(picture, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    total = np.zeros_like(picture)
    for t in np.linspace(-reach, reach, steps):
        i, j = pad + round(t * math.sin(angle)), pad + round(t * math.cos(angle))
        total += wide[i : i + picture.shape[0], j : j + picture.shape[1]]
    return np.asarray(total / np.float32(steps))


def lost_tracking(frames: int, config: NoiseConfig, rng: np.random.Generator) -> Bool[np.ndarray, "frames"]:
    """Which frames have no pose; never all of them."""
    lost = rng.random(frames) < config.lost
    if lost.all():
        lost[0] = False
    return lost
