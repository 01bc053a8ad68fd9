"""Red lines on pictures, pixel by pixel against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from vantage.evaluation.running.outlines import RED, outlined, rectangle, ring, thickness_px
from vantage.geometry.boxes import convex_hull_xy

SIZES = [(40, 30), (33, 51), (700, 400)]


def distance_inside(u: float, v: float, outline: np.ndarray) -> float:
    """Pixels from a point to the nearest edge's line, negative beyond it."""
    found = []
    for k in range(len(outline)):
        (x, y), (a, b) = outline[k], outline[(k + 1) % len(outline)]
        found.append(((a - x) * (v - y) - (b - y) * (u - x)) / np.hypot(a - x, b - y))
    return min(found)


def painted(u: int, v: int, outline: np.ndarray, width: int, height: int, gap: bool) -> bool:
    line = thickness_px(width, height)
    border = min(u, v, width - 1 - u, height - 1 - v) + 0.5
    own = distance_inside(u, v, outline) + (line if gap else 0)
    return own >= 0 and (own < line or border < line)


@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_line_runs_along_the_outline_and_the_border(seed: int, gap: bool) -> None:
    rng = np.random.default_rng(seed)
    width, height = SIZES[seed % 2]
    outline = convex_hull_xy(rng.uniform(-15, 60, (7, 2)))
    found = ring(outline, width, height, gap)
    for v in range(height):
        for u in range(width):
            assert found[v, u] == painted(u, v, outline, width, height, gap), (u, v)


def test_a_line_is_thicker_on_a_larger_picture() -> None:
    assert [thickness_px(*size) for size in SIZES] == [2, 2, 2]
    assert thickness_px(1296, 968) == 6


def test_with_a_gap_nothing_within_the_outline_is_painted() -> None:
    outline = rectangle(10.0, 8.0, 13.0, 12.0)
    around = ring(outline, 40, 30, gap=True)
    assert not around[8:13, 10:14].any() and around[6:8, 8:16].all() and around.sum() == 8 * 9 - 4 * 5
    assert ring(outline, 40, 30).sum() == 4 * 5, "without one the line hides all of so small an object"


def test_an_outline_around_the_whole_picture_is_its_border() -> None:
    found = ring(rectangle(-9.0, -9.0, 90.0, 90.0), 20, 10, gap=True)
    assert found[:2].all() and found[-2:].all() and found[:, :2].all() and found[:, -2:].all()
    assert not found[2:-2, 2:-2].any()


@pytest.mark.parametrize("outline", [np.zeros((0, 2)), np.array([[1.0, 2.0], [8.0, 9.0]])])
def test_what_encloses_nothing_is_not_painted(outline: np.ndarray) -> None:
    assert not ring(outline, 20, 10, gap=True).any()


def test_the_picture_given_stays_as_it_is() -> None:
    grey = np.full((30, 40, 3), 90, np.uint8)
    marked = outlined(grey, rectangle(5.0, 5.0, 20.0, 20.0))
    assert (grey == 90).all()
    red = ring(rectangle(5.0, 5.0, 20.0, 20.0), 40, 30)
    assert (marked[red] == RED).all() and (marked[~red] == 90).all()
