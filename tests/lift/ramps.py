"""Images whose colours tell their pixel coordinates, and what image processors make of them.

Red encodes u, green v, blue is full on the image. Eight bits tell a coordinate to a pixel or two at best, so
there are three images: one ramp over the whole width tells roughly where, and two triangle waves, a quarter
of a period apart, tell exactly: at each place one of them is far from its kinks.

How exactly: the ramp is rounded to 8 bits once, and again by each resize along an axis (the pass along the
other axis changes nothing, as the ramp is constant there). A filter weighs errors of its input by at most the
sum of its absolute weights, GAIN; and samples of a filter are not quite symmetric about its centre, so that a
resize shifts a ramp by up to SHIFT_PX of its input's pixels (`test_filters_are_as_stated` measures both).
Hence `bound_px`. Within the reach of the filter from the image's border neither holds, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vantage.geometry.warp import ImageWarp

PERIOD_PX = 61.7
SLOPE = 2 * 255 / PERIOD_PX  # grey levels for each pixel
GAIN = {"bicubic": 1.27, "lanczos": 1.56}
SHIFT_PX = {"bicubic": 0.03, "lanczos": 0.021}
REACH_PX = {"bicubic": 2, "lanczos": 3}


@dataclass(frozen=True)
class Case:
    """A processor, and how to get the pictures of one image out of what it returns.

    Attributes:
        make: the processor.
        patch_size: pixels, where the processor does not say.
        images: how many images are given together; the first is looked at.
        resizes: how many of them follow one another, at most.
        filter: the resampling.
        blended: whether padding comes before a resize, which then blends the image's border with it.
        pictures: (C, H, W) each, from the processor's output.
    """

    make: Callable[..., Any]
    settings: dict[str, Any]
    patch_size: int | None
    pictures: Callable[[Any, Any], list[np.ndarray]]
    images: int = 1
    resizes: int = 1
    filter: str = "bicubic"
    blended: bool = False

    def processor(self) -> Any:
        return self.make(**self.settings)


def triangle(x: np.ndarray, phase: float) -> np.ndarray:
    """A triangle wave between 0 and 1."""
    return np.abs(2 * ((x / PERIOD_PX + phase) % 1) - 1)


def ramp_images(width: int, height: int) -> list[np.ndarray]:
    """The rough ramp and the two fine ones, uint8 (height, width, 3)."""
    u, v = np.arange(width), np.arange(height)
    rows = [((u + 0.5) / width, (v + 0.5) / height)]
    rows += [(triangle(u, phase), triangle(v, phase)) for phase in (0.0, 0.25)]
    images = []
    for across, down in rows:
        image = np.full((height, width, 3), 255, dtype=np.uint8)
        image[..., 0] = np.rint(255 * across)[None, :]
        image[..., 1] = np.rint(255 * down)[:, None]
        images.append(image)
    return images


def processed(case: Case, processor: Any, image: np.ndarray) -> list[np.ndarray]:
    """The pictures that a processor makes of an image, as grey levels (3, H, W)."""
    given = image if case.images == 1 else [[image] * case.images]
    found = case.pictures(processor(given, return_tensors="np"), processor)
    mean, std = (np.array(part)[:, None, None] for part in (processor.image_mean, processor.image_std))
    return [255 * (picture * std + mean) for picture in found]


def at_centres(picture: np.ndarray, warp: ImageWarp, number: int) -> np.ndarray:
    """(rows, columns, 3): the colour at the middle of every patch, between pixels the mean of four."""
    centres = warp.centres(number)
    low, high = np.floor(centres).astype(int), np.ceil(centres).astype(int)
    corners = [picture[:, v[..., 1], u[..., 0]] for u in (low, high) for v in (low, high)]
    return np.moveaxis(np.mean(corners, axis=0), 0, -1)


def decoded(levels: list[np.ndarray], width: int, height: int) -> np.ndarray:
    """(..., 2): the colour pixel coordinates that the three images tell."""
    rough, *fine = (level[..., :2] / 255 for level in levels)
    rough = rough * (width, height) - 0.5
    second = np.abs(fine[1] - 0.5) < np.abs(fine[0] - 0.5)
    wave, phase = np.where(second, fine[1], fine[0]), np.where(second, 0.25, 0.0)
    best = np.full(rough.shape, np.inf)
    for period in range(-1, int(max(width, height) / PERIOD_PX) + 2):
        for side in (-1, 1):
            place = PERIOD_PX * (period + (1 + side * wave) / 2 - phase)
            best = np.where(np.abs(place - rough) < np.abs(best - rough), place, best)
    return best


def bound_px(case: Case, scale: float) -> float:
    """The error (colour pixels) that resampling may cause along an axis of a tile."""
    gain = GAIN[case.filter]
    rounding = sum(0.5 * gain**k for k in range(case.resizes + 1)) / SLOPE
    return rounding + case.resizes * SHIFT_PX[case.filter] * max(1.0, 1 / scale)


def margin_px(case: Case, scale: float) -> float:
    """How far (colour pixels) the image's border makes itself felt."""
    return case.resizes * REACH_PX[case.filter] * max(1.0, 1 / scale) + 1


def compare(case: Case, width: int, height: int, warp: ImageWarp) -> list[np.ndarray]:
    """Assert that the pictures are where the warp says; returns each tile's errors (n, 2), colour pixels."""
    processor = case.processor()
    made = [processed(case, processor, image) for image in ramp_images(width, height)]
    assert [(p.shape[2], p.shape[1]) for p in made[0]] == [(t.width, t.height) for t in warp.tiles]
    errors = []
    for number, tile in enumerate(warp.tiles):
        told = decoded([at_centres(pictures[number], warp, number) for pictures in made], width, height)
        expected = tile.to_color(warp.centres(number))
        scale = [float(part) for part in tile.scale]
        margin = np.array([margin_px(case, s) for s in scale])
        size = np.array([width, height])
        deep = ((expected > margin - 0.5) & (expected < size - 0.5 - margin)).all(axis=-1)
        error = (told - expected)[deep]
        assert (np.abs(error) <= [bound_px(case, s) for s in scale]).all(), (
            number,
            np.abs(error).max(axis=0),
        )
        _check_padding(case, made[0][number][2], warp, number)
        errors.append(error)
    return errors


def _check_padding(case: Case, blue: np.ndarray, warp: ImageWarp, number: int) -> None:
    """Blue is full on the image and not on padding, but for the filter's reach along a blended border."""
    tile, full = warp.tiles[number], np.abs(blue - 255) < 0.5
    v, u = np.mgrid[0 : tile.height, 0 : tile.width].astype(float)
    place = tile.to_color(np.stack([u, v], axis=-1)) + 0.5
    inwards = np.minimum(place, (warp.width, warp.height) - place)
    margin = [margin_px(case, float(scale)) if case.blended else 0.0 for scale in tile.scale]
    padding = warp.padding(number)
    assert full[~padding & (inwards > margin).all(axis=-1)].all()
    assert not full[padding & (inwards < np.negative(margin)).any(axis=-1)].any()
