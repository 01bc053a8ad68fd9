import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.geometry.warp import ImageWarp, Tile, squash

edges = st.integers(1, 60)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("resized"), edges, edges),
        st.tuples(st.just("cropped"), st.integers(-9, 20), st.integers(-9, 20), edges, edges),
        st.tuples(st.just("padded"), *[st.integers(0, 9)] * 4),
    ),
    max_size=4,
)


def made(width: int, height: int, chain: list[tuple]) -> Tile:
    tile = Tile(width, height)
    for name, *arguments in chain:
        tile = getattr(tile, name)(*arguments)
    return tile


def by_steps(place: tuple[Fraction, Fraction], width: int, height: int, chain: list[tuple]) -> list[Fraction]:
    """An edge coordinate carried through the steps one by one."""
    x, y = place
    for name, *numbers in chain:
        if name == "resized":
            x, y = x * numbers[0] / width, y * numbers[1] / height
            width, height = numbers
        elif name == "cropped":
            x, y, width, height = x - numbers[0], y - numbers[1], numbers[2], numbers[3]
        else:
            left, top, right, bottom = numbers
            x, y, width, height = x + left, y + top, width + left + right, height + top + bottom
    return [x, y]


@given(edges, edges, steps, st.tuples(st.integers(0, 60), st.integers(0, 60)))
def test_a_chain_of_steps_is_one_factor_and_one_offset(
    width: int, height: int, chain: list[tuple], pixel: tuple[int, int]
) -> None:
    tile = made(width, height, chain)
    half = Fraction(1, 2)
    expected = by_steps((pixel[0] + half, pixel[1] + half), width, height, chain)
    found = tile.from_color(np.array(pixel, dtype=float))
    np.testing.assert_allclose(found, [float(part - half) for part in expected], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(tile.to_color(found), pixel, atol=1e-6)


@given(edges, edges, steps, st.integers(1, 5))
def test_patches_and_padding_pixel_by_pixel(
    width: int, height: int, chain: list[tuple], patch_size: int
) -> None:
    tile = made(width, height, chain)
    if min(tile.width, tile.height) < patch_size:
        with pytest.raises(ValueError, match="smaller than a patch"):
            ImageWarp(width, height, patch_size, (tile,))
        return
    warp = ImageWarp(width, height, patch_size, (tile,))
    rows, columns = warp.shape
    padding = warp.padding(0)
    rng = np.random.default_rng(width * height)
    uv = rng.uniform(-3, 63, (40, 2))
    for (u, v), patch in zip(uv, warp.patch_of(0, uv), strict=True):
        x, y = tile.from_color(np.array([u, v])) + 0.5
        row, column = int(y // patch_size), int(x // patch_size)
        image = -0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5
        inside = image and 0 <= row < rows and 0 <= column < columns and not padding[int(y), int(x)]
        assert patch == (row * columns + column if inside else -1)
    for row in range(tile.height):
        for column in range(tile.width):
            x = (Fraction(2 * column + 1, 2) - tile.shift[0]) / tile.scale[0]
            y = (Fraction(2 * row + 1, 2) - tile.shift[1]) / tile.scale[1]
            assert padding[row, column] == (not (0 <= x < width and 0 <= y < height))


def test_beside_the_image_nothing_is_shown_even_in_a_pixel_it_shares_with_padding() -> None:
    tile = Tile(10, 10).padded(1, 1, 1, 1).resized(6, 6)
    warp = ImageWarp(10, 10, 2, (tile,))
    assert not warp.padding(0)[0, 0]  # its centre is the corner of the image
    assert warp.padding(0)[5, 5]
    places = np.array([[-0.6, 3.0], [-0.5, 3.0], [9.49, 3.0], [9.5, 3.0], [3.0, -0.6], [np.nan, 3.0]])
    assert warp.patch_of(0, places).tolist() == [-1, 3, -1, -1, -1, -1]


@given(edges, edges, steps, steps)
def test_json_keeps_it_exactly(width: int, height: int, one: list[tuple], other: list[tuple]) -> None:
    warp = ImageWarp(width, height, 1, (made(width, height, one), made(width, height, other)))
    text = json.dumps(warp.to_dict())
    assert ImageWarp.from_dict(json.loads(text)) == warp


def test_what_is_not_a_warp_is_refused() -> None:
    fields = squash(8, 6, 4, 2).to_dict()
    with pytest.raises(ValueError, match=r"a warp has the fields .*found .*wide"):
        ImageWarp.from_dict({**fields, "wide": 3})
    tile = {**fields["tiles"][0]}
    del tile["shift"]
    with pytest.raises(ValueError, match="a tile has the fields"):
        ImageWarp.from_dict({**fields, "tiles": [tile]})
    with pytest.raises(ValueError, match="there must be a tile"):
        ImageWarp(8, 6, 2, ())
    with pytest.raises(ValueError, match="not a picture"):
        Tile(8, 6).resized(0, 4)


def test_patch_centres_are_pixel_coordinates() -> None:
    warp = squash(20, 10, 28, 14)
    np.testing.assert_array_equal(warp.centres(0)[1, 0], [6.5, 20.5])
    # The centre of the right bottom patch is at three quarters of the image.
    np.testing.assert_allclose(warp.tiles[0].to_color(warp.centres(0)[1, 1]), [14.5, 7.0])


def test_whole_means_that_patches_divide_the_whole_image() -> None:
    assert squash(640, 480, 64, 8).whole
    assert not squash(640, 480, 64, 9).whole
    tile = Tile(640, 480).resized(64, 64)
    assert not ImageWarp(640, 480, 8, (tile, tile)).whole
    assert not ImageWarp(640, 480, 8, (tile.padded(0, 8, 0, 8),)).whole
    assert not ImageWarp(640, 480, 8, (Tile(640, 480).padded(0, 80, 0, 80).resized(64, 64),)).whole


def test_shapes() -> None:
    tall = Tile(30, 40)
    assert ImageWarp(30, 40, 7, (tall,)).shape == (5, 4)
    assert ImageWarp(30, 40, 7, (tall, tall.resized(14, 7))).shape == (22,)
    assert ImageWarp(30, 40, 7, (tall, tall.resized(14, 7))).grids == ((5, 4), (1, 2))
