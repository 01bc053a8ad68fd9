import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose
from vantage.geometry.warp import ImageWarp, Tile
from vantage.lift.patches import PatchPoints, patch_coordinates, patch_of_pixels

DEPTH_CAMERA = Pinhole(40, 30, 31.0, 30.0, 18.7, 15.2)
COLOR_CAMERA = Pinhole(48, 40, 33.0, 34.0, 24.1, 18.3)  # sees less than the depth camera, off centre
seeds = st.integers(0, 2**32 - 1)
grids = st.tuples(st.integers(1, 8), st.integers(1, 8))


def even(camera: Pinhole, grid: tuple[int, int]) -> ImageWarp:
    """Patches that divide the whole image of a camera."""
    rows, columns = grid
    return ImageWarp(
        camera.width, camera.height, 1, (Tile(camera.width, camera.height).resized(columns, rows),)
    )


def noisy_depth(seed: int, camera: Pinhole = DEPTH_CAMERA) -> np.ndarray:
    """Depth in whole centimetres, so that equal values are common, with every kind of hole."""
    rng = np.random.default_rng(seed)
    depth = rng.integers(50, 80, (camera.height, camera.width)).astype(np.float32) / 100
    depth[rng.random(depth.shape) < 0.3] = 0
    depth[rng.random(depth.shape) < 0.02] = np.nan
    depth[rng.random(depth.shape) < 0.02] = np.inf
    depth[rng.random(depth.shape) < 0.02] = -1
    return depth


def a_pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return compose(Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3))


def by_loop(
    depth: np.ndarray, T_world_cam: np.ndarray, grid: tuple[int, int], min_share: float
) -> tuple[np.ndarray, ...]:
    """The definition, pixel by pixel."""
    members: dict[tuple[int, int], list[tuple[float, int]]] = {}
    totals = np.zeros(grid)
    for v in range(DEPTH_CAMERA.height):
        for u in range(DEPTH_CAMERA.width):
            x = (u - DEPTH_CAMERA.cx) / DEPTH_CAMERA.fx
            y = (v - DEPTH_CAMERA.cy) / DEPTH_CAMERA.fy
            # Share of the colour image to the left of, and above, the place the ray meets it.
            s = (COLOR_CAMERA.fx * x + COLOR_CAMERA.cx + 0.5) / COLOR_CAMERA.width
            t = (COLOR_CAMERA.fy * y + COLOR_CAMERA.cy + 0.5) / COLOR_CAMERA.height
            if not (0 <= s < 1 and 0 <= t < 1):
                continue
            patch = (int(t * grid[0]), int(s * grid[1]))
            totals[patch] += 1
            z = float(depth[v, u])
            if np.isfinite(z) and z > 0:
                members.setdefault(patch, []).append((z, v * DEPTH_CAMERA.width + u))
    xyz, valid = np.zeros((*grid, 3)), np.zeros(grid, dtype=bool)
    spread, share = np.zeros(grid), np.zeros(grid)
    for patch, found in members.items():
        found.sort()
        n = len(found)
        share[patch] = n / totals[patch]
        if share[patch] < min_share:
            continue
        z, pixel = found[(n - 1) // 2]
        v, u = divmod(pixel, DEPTH_CAMERA.width)
        p_cam = np.array(
            [(u - DEPTH_CAMERA.cx) / DEPTH_CAMERA.fx * z, (v - DEPTH_CAMERA.cy) / DEPTH_CAMERA.fy * z, z]
        )
        xyz[patch] = T_world_cam[:3, :3] @ p_cam + T_world_cam[:3, 3]
        valid[patch] = True
        spread[patch] = found[int(0.9 * (n - 1) + 0.5)][0] - found[int(0.1 * (n - 1) + 0.5)][0]
    return xyz, valid, spread, share


def lift(depth: np.ndarray, pose: np.ndarray, grid: tuple[int, int], min_share: float = 0.1) -> PatchPoints:
    return patch_coordinates(depth, DEPTH_CAMERA, pose, COLOR_CAMERA, even(COLOR_CAMERA, grid), min_share)


@given(seeds, grids, st.sampled_from([0.0, 0.1, 0.65, 0.7]))
@settings(max_examples=40, deadline=None)
def test_the_same_as_pixel_by_pixel(seed: int, grid: tuple[int, int], min_share: float) -> None:
    depth, pose = noisy_depth(seed), a_pose(seed)
    found = lift(depth, pose, grid, min_share)
    xyz, valid, spread, share = by_loop(depth, pose, grid, min_share)
    np.testing.assert_array_equal(found.valid, valid)
    np.testing.assert_allclose(found.xyz_world, xyz, atol=1e-6)
    np.testing.assert_allclose(found.spread, spread, atol=1e-6)
    np.testing.assert_allclose(found.valid_share, share, atol=1e-6)
    assert (found.xyz_world[~found.valid] == 0).all()


@given(seeds, seeds)
@settings(max_examples=30, deadline=None)
def test_moving_the_camera_moves_the_points_with_it(seed: int, other: int) -> None:
    depth, T_b_cam, T_a_b = noisy_depth(seed), a_pose(seed), a_pose(other)
    there, moved = lift(depth, T_b_cam, (4, 5)), lift(depth, T_a_b @ T_b_cam, (4, 5))
    np.testing.assert_array_equal(there.valid, moved.valid)
    expected = apply(T_a_b, there.xyz_world)
    np.testing.assert_allclose(moved.xyz_world[moved.valid], expected[there.valid], atol=1e-5)


def test_every_point_is_a_measured_one() -> None:
    o3d = pytest.importorskip("open3d")
    camera = Pinhole(32, 24, 30.0, 31.0, 15.0, 12.0)
    depth = np.nan_to_num(noisy_depth(3, camera), nan=0.0, posinf=0.0, neginf=0.0).clip(min=0)
    pose = a_pose(4)
    cloud = o3d.t.geometry.PointCloud.create_from_depth_image(
        o3d.t.geometry.Image(o3d.core.Tensor(depth)),
        o3d.core.Tensor(camera.matrix()),
        o3d.core.Tensor(np.linalg.inv(pose)),
        depth_scale=1.0,
        depth_max=10.0,
    )
    measured = cloud.point.positions.numpy()  # in an order that changes from call to call: a set
    assert len(measured) == np.count_nonzero(depth)
    found = patch_coordinates(
        depth, camera, pose, camera.resized(64, 64), even(camera.resized(64, 64), (4, 4)), 0.1
    )
    distance = np.linalg.norm(found.xyz_world[found.valid][:, None] - measured[None], axis=-1).min(axis=1)
    assert found.valid.all()
    assert distance.max() < 1e-5
    # Each pixel a patch of its own: the whole back-projection.
    every = patch_coordinates(depth, camera, pose, camera, even(camera, (24, 32)), 0.1)
    mine = every.xyz_world[every.valid]
    assert len(mine) == len(measured)
    distance = np.linalg.norm(mine[:, None] - measured[None], axis=-1)
    assert distance.min(axis=0).max() < 1e-5
    assert distance.min(axis=1).max() < 1e-5


def test_a_patch_over_an_edge_takes_a_surface_and_tells_its_spread() -> None:
    camera = Pinhole(8, 8, 10.0, 10.0, 3.5, 3.5)
    depth = np.full((8, 8), 1.0, dtype=np.float32)
    depth[:, 5:] = 3.0
    found = patch_coordinates(depth, camera, np.eye(4), camera, even(camera, (1, 1)), 0.1)
    assert found.xyz_world[0, 0, 2] == 1.0
    assert found.spread[0, 0] == 2.0


def test_patches_that_the_depth_camera_does_not_reach_are_marked() -> None:
    wide = Pinhole(40, 30, 10.0, 10.0, 19.5, 14.5)
    depth = np.full((30, 40), 2.0, dtype=np.float32)
    found = patch_coordinates(depth, DEPTH_CAMERA, np.eye(4), wide, even(wide, (8, 8)), 0.1)
    assert not found.valid[0].any()
    assert found.valid[4, 4]
    assert found.valid_share[0].max() == 0
    assert (patch_of_pixels(DEPTH_CAMERA, wide, even(wide, (8, 8))) >= 0).all()


def test_a_depth_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected from its camera"):
        lift(np.zeros((40, 30), dtype=np.float32), np.eye(4), (2, 2))


def test_nothing_measured_is_nothing_valid() -> None:
    found = lift(np.zeros((30, 40), dtype=np.float32), np.eye(4), (2, 2), min_share=0.0)
    assert not found.valid.any()
    assert not found.xyz_world.any()
