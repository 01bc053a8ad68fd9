"""Patch points through warps of several tiles: against the definition, and on known surfaces."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from box_room import look_around, make_room, render, sensed
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, invert
from vantage.geometry.warp import ImageWarp, Tile, squash
from vantage.lift.patches import patch_coordinates
from vantage.lift.processors.table import processor_warp

DEPTH = Pinhole(40, 30, 31.0, 30.0, 18.7, 15.2)
COLOR = Pinhole(48, 40, 33.0, 34.0, 24.1, 18.3)  # sees less than the depth camera, off centre


def tiled(seed: int, size: tuple[int, int]) -> ImageWarp:
    """Some tiles that overlap, with padding, of different sizes."""
    rng = np.random.default_rng(seed)
    tiles = []
    for _ in range(rng.integers(1, 4)):
        tile = Tile(*size).resized(*(int(n) for n in rng.integers(12, 50, 2)))
        left, top, right, bottom = (int(n) for n in rng.integers(0, 9, 4))
        tile = tile.padded(left, top, right, bottom)
        if rng.random() < 0.6:
            left, top, width, height = (int(n) for n in rng.integers([0, 0, 9, 9], [8, 8, 30, 30]))
            tile = tile.cropped(left, top, width, height)
        tiles.append(tile)
    return ImageWarp(*size, int(rng.integers(2, 7)), tuple(tiles))


def by_loop(depth: np.ndarray, warp: ImageWarp, share: float) -> tuple[np.ndarray, ...]:
    """Every patch's members, found pixel by pixel and tile by tile; camera points."""
    xyz, valid, shares = [], [], []
    for number, (tile, (rows, columns)) in enumerate(zip(warp.tiles, warp.grids, strict=True)):
        padding = warp.padding(number)
        members: dict[int, list[tuple[float, int]]] = {k: [] for k in range(rows * columns)}
        for v in range(DEPTH.height):
            for u in range(DEPTH.width):
                x, y = (u - DEPTH.cx) / DEPTH.fx, (v - DEPTH.cy) / DEPTH.fy
                color = COLOR.fx * x + COLOR.cx + 0.5, COLOR.fy * y + COLOR.cy + 0.5
                if not (0 <= color[0] < COLOR.width and 0 <= color[1] < COLOR.height):
                    continue
                s, t = (float(c * k + d) for c, k, d in zip(color, tile.scale, tile.shift, strict=True))
                row, column = int(t // warp.patch_size), int(s // warp.patch_size)
                if 0 <= column < columns and 0 <= row < rows and not padding[int(t), int(s)]:
                    members[row * columns + column].append((float(depth[v, u]), v * DEPTH.width + u))
        for pixels in members.values():
            seen = sorted(one for one in pixels if one[0] > 0)
            shares.append(len(seen) / max(1, len(pixels)))
            valid.append(bool(seen) and shares[-1] >= share)
            if not valid[-1]:
                xyz.append([0.0, 0.0, 0.0])
                continue
            z, pixel = seen[(len(seen) - 1) // 2]
            v, u = divmod(pixel, DEPTH.width)
            xyz.append([(u - DEPTH.cx) / DEPTH.fx * z, (v - DEPTH.cy) / DEPTH.fy * z, z])
    return np.array(xyz), np.array(valid), np.array(shares)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.7]))
@settings(max_examples=25, deadline=None)
def test_the_same_as_pixel_by_pixel_and_tile_by_tile(seed: int, share: float) -> None:
    warp = tiled(seed, (COLOR.width, COLOR.height))
    rng = np.random.default_rng(seed)
    depth = rng.integers(50, 80, (DEPTH.height, DEPTH.width)).astype(np.float32) / 100
    depth[rng.random(depth.shape) < 0.3] = 0
    found = patch_coordinates(depth, DEPTH, np.eye(4), COLOR, warp, share)
    xyz, valid, shares = by_loop(depth, warp, share)
    np.testing.assert_array_equal(found.valid.ravel(), valid)
    np.testing.assert_allclose(found.valid_share.ravel(), shares, atol=1e-6)
    np.testing.assert_allclose(found.xyz_world.reshape(-1, 3), xyz, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_a_patch_of_padding_alone_has_no_point(seed: int) -> None:
    """Also where the depth camera sees beyond the colour image."""
    warp = tiled(seed, (COLOR.width, COLOR.height))
    wide = Pinhole(120, 90, 20.0, 20.0, 60.0, 45.0)
    depth = np.full((wide.height, wide.width), 2.0, dtype=np.float32)
    found = patch_coordinates(depth, wide, np.eye(4), COLOR, warp, 0.0)
    flat, start, p = found.valid.ravel(), 0, warp.patch_size
    for number, (rows, columns) in enumerate(warp.grids):
        shown = ~warp.padding(number)[: rows * p, : columns * p]
        some = shown.reshape(rows, p, columns, p).any(axis=(1, 3)).ravel()
        valid = flat[start : start + rows * columns]
        assert not valid[~some].any()
        start += rows * columns


DEPTH_CAMERA = Pinhole(160, 120, 102.0, 103.0, 80.0, 60.0)
POSES = look_around(5, 3)
ROOM = make_room(8)
EXACT = [depth for depth, _ in render(ROOM, DEPTH_CAMERA, POSES)]
PROCESSORS = {
    "squash": None,
    "onevision": {"image_processor_type": "LlavaOnevisionImageProcessor", "patch_size": 14},
    "qwen": {"image_processor_type": "Qwen2VLImageProcessor"},
    "internvl": {"image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": True, "patch_size": 14},
}


@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(PROCESSORS)), frame=st.integers(0, 2))
@settings(max_examples=20, deadline=None)
def test_every_point_lies_on_a_surface(seed: int, name: str, frame: int) -> None:
    """Holes and depth edges never give a point in free space: none is further off than its pixel's noise."""
    import open3d as o3d

    color = Pinhole(324, 242, 250.0, 251.0, 160.0, 118.0)
    source = PROCESSORS[name]
    warp = squash(324, 242, 112, 14) if source is None else processor_warp(source, 324, 242)
    depth = sensed(EXACT[frame], seed)
    found = patch_coordinates(depth, DEPTH_CAMERA, POSES[frame], color, warp, 0.1)
    points = found.xyz_world[found.valid]
    assert len(points) > 20
    scene = o3d.t.geometry.RaycastingScene()
    mesh = (ROOM.vertices.astype(np.float32), ROOM.triangles.astype(np.uint32))
    scene.add_triangles(*(o3d.core.Tensor(part) for part in mesh))
    off = scene.compute_distance(o3d.core.Tensor(points.astype(np.float32))).numpy()
    p_cam = apply(invert(POSES[frame]), points)
    uv = np.rint(DEPTH_CAMERA.project(p_cam)[0]).astype(int)
    error = np.abs(depth - EXACT[frame])[uv[:, 1], uv[:, 0]]
    ray = np.linalg.norm(p_cam, axis=1) / p_cam[:, 2]
    assert (off <= error * ray + 1e-4).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_tiles_do_not_depend_on_each_other(seed: int) -> None:
    """A tile's points do not depend on what other tiles there are."""
    warp = tiled(seed, (COLOR.width, COLOR.height))
    assume(len(warp.tiles) > 1)
    depth = np.random.default_rng(seed).uniform(1, 3, (30, 40)).astype(np.float32)
    together = patch_coordinates(depth, DEPTH, np.eye(4), COLOR, warp, 0.1)
    parts = [
        patch_coordinates(depth, DEPTH, np.eye(4), COLOR, ImageWarp(48, 40, warp.patch_size, (tile,)), 0.1)
        for tile in warp.tiles
    ]
    for name in ("xyz_world", "valid", "spread", "valid_share"):
        last = (3,) if name == "xyz_world" else ()
        expected = np.concatenate([getattr(part, name).reshape(-1, *last) for part in parts])
        np.testing.assert_array_equal(getattr(together, name), expected)


def test_a_warp_of_another_colour_image_is_refused() -> None:
    depth = np.ones((30, 40), dtype=np.float32)
    with pytest.raises(ValueError, match="the warp is of 40x48 pixels"):
        patch_coordinates(depth, DEPTH, np.eye(4), COLOR, squash(40, 48, 8, 4), 0.1)
