"""Patch coordinates with and without their warp, on disk and for readers that want the plain squash."""

from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ContractError
from vantage.geometry.warp import ImageWarp, Tile, squash
from vantage.records.patches import (
    PATCHES_FILE,
    PatchCoordinates,
    read_patches,
    read_squashed_patches,
    write_patches,
)

TILE = Tile(40, 30)
TILES = ImageWarp(40, 30, 5, (TILE.resized(20, 15), TILE.cropped(0, 0, 20, 30), TILE.padded(0, 5, 0, 5)))


def made(shape: tuple[int, ...], warp: ImageWarp | None = None) -> PatchCoordinates:
    rng = np.random.default_rng(0)
    full = (3, *shape)
    return PatchCoordinates(
        np.array([2, 5, 9]),
        rng.normal(size=(*full, 3)).astype(np.float32),
        rng.random(full) < 0.5,
        rng.random(full).astype(np.float32),
        rng.random(full).astype(np.float32),
        warp,
    )


WIDE = ImageWarp(9, 7, 3, (Tile(9, 7).resized(12, 9),))


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("patches", [made((4, 6)), made(TILES.shape, TILES), made((3, 4), WIDE)])
def test_written_and_read(patches: PatchCoordinates, mapped: bool, tmp_path: Path) -> None:
    write_patches(tmp_path, patches)
    found = read_patches(tmp_path, mapped)
    assert isinstance(found.xyz_aligned, np.memmap) == mapped
    assert found.warp == patches.warp
    for name in ("frame_ids", "xyz_aligned", "valid", "spread", "valid_share"):
        np.testing.assert_array_equal(getattr(found, name), getattr(patches, name))
    with np.load(tmp_path / PATCHES_FILE, allow_pickle=False) as data:
        assert int(data["version"]) == (1 if patches.warp is None else 2)


def test_tiles_of_any_grids() -> None:
    patches = made(TILES.shape, TILES)
    assert patches.grids == ((3, 4), (6, 4), (8, 8))
    parts = [patches.tile(number) for number in range(3)]
    assert [part.xyz_aligned.shape for part in parts] == [(3, 3, 4, 3), (3, 6, 4, 3), (3, 8, 8, 3)]
    np.testing.assert_array_equal(
        np.concatenate([part.valid.reshape(3, -1) for part in parts], axis=1), patches.valid
    )
    np.testing.assert_array_equal(parts[1].xyz_aligned[2, 5, 3], patches.xyz_aligned[2, 12 + 23])
    assert parts[1].warp == ImageWarp(40, 30, 5, TILES.tiles[1:2])
    whole = made((4, 6))
    np.testing.assert_array_equal(whole.tile(0).spread, whole.spread)


def test_arrays_that_do_not_fit_the_warp_are_refused(tmp_path: Path) -> None:
    write_patches(tmp_path, made((7,), TILES))
    with pytest.raises(ContractError, match=r"(?s)do not fit.*\(3, 100"):
        read_patches(tmp_path)
    write_patches(tmp_path, made((7,)))
    with pytest.raises(ContractError, match="do not fit"):
        read_patches(tmp_path)


def test_a_model_of_squashed_images_takes_no_other_patches(tmp_path: Path) -> None:
    even = squash(40, 30, 32, 8)
    for patches in (made((4, 4)), made((4, 4), even)):
        write_patches(tmp_path, patches)
        np.testing.assert_array_equal(read_squashed_patches(tmp_path, (4, 4)).valid, patches.valid)
    padded = ImageWarp(40, 30, 8, (Tile(40, 30).padded(0, 5, 0, 5).resized(32, 32),))
    for patches in (made((4, 5)), made((4, 4), padded), made(TILES.shape, TILES)):
        write_patches(tmp_path, patches)
        with pytest.raises(ContractError, match=r"(?s)wants other patches.*4x4 patches of the whole image"):
            read_squashed_patches(tmp_path, (4, 4))
