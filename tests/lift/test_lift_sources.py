"""Depth from a scan's points and from its mesh: what hides what, and what each has in common with rays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from box_room import COLOR, DEPTH, T_ALIGNED_RAW, a_task, look_around, make_room, render, write_folders
from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, from_yaw, invert
from vantage.geometry.warp import ImageWarp, Tile, squash
from vantage.lift.cloud import CloudDepth
from vantage.lift.config import LiftConfig
from vantage.lift.depth_config import DepthConfig
from vantage.lift.mesh import MeshDepth
from vantage.lift.patches import PatchPoints, patch_coordinates
from vantage.lift.stage import lift
from vantage.records.objects import ScanPoints, write_points
from vantage.records.patches import read_patches
from vantage.scans.codecs import decode_depth
from vantage.scans.config import CaptureConfig, FusionConfig
from vantage.scans.fusion import fuse, thinned
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan
from vantage.scans.pixels import metres, read_bytes
from vantage.scans.ply import Mesh, write_ply
from vantage.scans.source import open_scan

EYE = Pinhole(160, 120, 120.0, 120.0, 79.5, 59.5)
PATCHES = ImageWarp(EYE.width, EYE.height, 10, (Tile(EYE.width, EYE.height),))  # of 17 cm at 2 m


def wall(count: int, z: float, half: float, seed: int) -> np.ndarray:
    """Points scattered over a square across the camera's axis."""
    xy = np.random.default_rng(seed).uniform(-half, half, (count, 2))
    return np.column_stack([xy, np.full(count, z)]).astype(np.float32)


def nearest_point_only(coord: np.ndarray) -> np.ndarray:
    """What one gets without filling the gaps: each pixel its nearest point."""
    uv, z = EYE.project(coord)
    inside = EYE.inside(uv)
    column, row = np.floor(uv[inside] + 0.5).astype(int).T
    depth = np.full((EYE.height, EYE.width), np.inf)
    np.minimum.at(depth, (row, column), z[inside])
    return np.where(np.isfinite(depth), depth, 0).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("spacing_m", [0.02, 0.05, 0.12])
def test_a_sparse_wall_lets_nothing_behind_it_through(spacing_m: float, seed: int) -> None:
    front = wall(int((4 / spacing_m) ** 2), 2.0, 2.0, seed)
    behind = wall(160_000, 3.0, 3.0, seed + 100)
    both = np.concatenate([front, behind])
    depth = CloudDepth(both).image(np.eye(4), EYE)
    assert np.mean(depth > 2.5) < 0.002
    found = patch_coordinates(depth, EYE, np.eye(4), EYE, PATCHES, 0.1)
    assert found.valid.mean() > 0.97
    assert found.xyz_world[found.valid][:, 2] == pytest.approx(2.0, abs=0.01)
    naive = nearest_point_only(both)
    assert np.mean(naive[naive > 0] > 2.5) > 0.05  # one sees through the points themselves
    if spacing_m > 0.1:
        bare = patch_coordinates(naive, EYE, np.eye(4), EYE, PATCHES, 0.1)
        assert (bare.xyz_world[bare.valid][:, 2] > 2.5).mean() > 0.3


def test_a_hole_stays_a_hole_and_shows_what_is_behind() -> None:
    front = wall(40_000, 2.0, 2.0, 0)  # 2 cm apart
    opening = (np.abs(front[:, :2]) < 0.5).all(axis=1)
    front = front[~opening]
    depth = CloudDepth(front).image(np.eye(4), EYE)
    v, u = np.mgrid[: EYE.height, : EYE.width]
    across = np.maximum(np.abs(u - EYE.cx), np.abs(v - EYE.cy)) / EYE.fx * 2.0
    assert (depth[across < 0.45] == 0).all()
    assert np.mean(depth[across > 0.55] > 0) > 0.4
    behind = CloudDepth(np.concatenate([front, wall(90_000, 3.0, 3.0, 1)])).image(np.eye(4), EYE)
    inner = behind[across < 0.42]
    assert np.mean(inner > 0) > 0.4
    assert inner[inner > 0] == pytest.approx(3.0, abs=0.01)
    rim = behind[(across > 0.45) & (across < 0.55)]
    assert (np.isclose(rim[rim > 0], 2, atol=0.01) | np.isclose(rim[rim > 0], 3, atol=0.01)).all()


def test_no_pixel_without_points_and_none_behind_the_camera() -> None:
    behind = wall(4000, -2.0, 1.0, 0)
    assert (CloudDepth(behind).image(np.eye(4), EYE) == 0).all()
    assert (CloudDepth(wall(1, 2.0, 0.1, 0)).image(np.eye(4), EYE) == 0).all()  # one point is no surface


def test_a_tilted_wall_has_its_own_depth_at_every_pixel() -> None:
    x = np.linspace(-2, 2, 200)
    a, b = (axis.ravel() for axis in np.meshgrid(x, x))
    tilted = np.column_stack([a, b, 2.5 + 0.8 * a]).astype(np.float32)
    depth = CloudDepth(tilted).image(np.eye(4), EYE)
    slope = (np.arange(EYE.width) - EYE.cx) / EYE.fx
    exact = np.broadcast_to(2.5 / (1 - 0.8 * slope), depth.shape)
    seen = depth > 0
    assert seen.mean() > 0.6
    np.testing.assert_allclose(depth[seen], exact[seen], rtol=2e-4)


def first_hit(vertices: np.ndarray, faces: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """The least t at which each ray from the origin crosses a triangle (Moeller and Trumbore); 0 for none."""
    best = np.full(len(rays), np.inf)
    for a, b, c in vertices[faces].astype(float):
        p = np.cross(rays, c - a)
        det = p @ (b - a)
        with np.errstate(divide="ignore", invalid="ignore"):
            u = -(p @ a) / det
            q = np.cross(-a, b - a)
            v = (rays @ q) / det
            t = (q @ (c - a)) / det
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)
        best[hit] = np.minimum(best[hit], t[hit])
    return np.where(np.isfinite(best), best, 0)


def test_rays_at_a_mesh_against_every_triangle_in_turn() -> None:
    rng = np.random.default_rng(3)
    vertices = rng.uniform([-1, -1, 1], [1, 1, 4], (60, 3)).astype(np.float32)
    faces = rng.permutation(60).reshape(20, 3).astype(np.int32)
    eye = Pinhole(40, 30, 30.0, 31.0, 19.0, 15.5)
    expected = first_hit(vertices, faces, eye.rays().reshape(-1, 3)).reshape(30, 40)
    found = MeshDepth(vertices, faces).image(np.eye(4), eye)
    assert 0.1 < (expected > 0).mean() < 0.9
    differs = np.abs(found - expected) > 1e-4
    assert differs.mean() < 0.005  # a ray along an edge may go either way
    T = compose(from_yaw(1.1)[:3, :3], np.array([3.0, -2.0, 0.5]))
    moved = MeshDepth(apply(T, vertices).astype(np.float32), faces).image(T, eye)
    assert (np.abs(moved - found) > 1e-4).mean() < 0.005


@dataclass(frozen=True)
class Sources:
    """Patches of the same frames by each source, and their points' distances to the true surface."""

    patches: dict[str, list[PatchPoints]]
    off_surface: dict[str, np.ndarray]

    def stacked(self, name: str, field: str) -> np.ndarray:
        return np.stack([getattr(one, field) for one in self.patches[name]])

    def apart(self, one: str, other: str) -> np.ndarray:
        """Distances (m) between the points of patches that both have."""
        both = self.stacked(one, "valid") & self.stacked(other, "valid")
        difference = self.stacked(one, "xyz_world")[both] - self.stacked(other, "xyz_world")[both]
        return np.linalg.norm(difference, axis=1)


def exact_depth(scan: GeneratedScan, T: np.ndarray, camera: Pinhole) -> np.ndarray:
    """Depth along rays at the mesh, straight from Open3D."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(scan.mesh.vertices), o3d.core.Tensor(scan.mesh.faces.astype(np.uint32))
    )
    p = apply(T, camera.rays().reshape(-1, 3)) - T[:3, 3]
    rays = np.concatenate([np.broadcast_to(T[:3, 3], p.shape), p], axis=1).astype(np.float32)
    hit = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy().reshape(camera.height, camera.width)
    return np.where(np.isfinite(hit), hit, 0).astype(np.float32)


def sources_of(scan: GeneratedScan, frames: Sequence[int], side: int) -> Sources:
    import open3d as o3d

    color, depth_eye = scan.color_camera, scan.depth_camera
    eye = color.resized(depth_eye.width, round(depth_eye.width * color.height / color.width))
    cloud, mesh = CloudDepth(scan.mesh.vertices), MeshDepth(scan.mesh.vertices, scan.mesh.faces)
    warp = squash(color.width, color.height, side, 1)
    patches: dict[str, list[PatchPoints]] = {name: [] for name in ("exact", "mesh", "cloud", "depth")}
    for k in frames:
        T = scan.T_raw_cam[k]
        images = {
            "exact": (exact_depth(scan, T, eye), eye),
            "mesh": (mesh.image(T, eye), eye),
            "cloud": (cloud.image(T, eye), eye),
            "depth": ((scan.depth[k] / 1000).astype(np.float32), depth_eye),
        }
        for name, (image, camera) in images.items():
            patches[name].append(patch_coordinates(image, camera, T, color, warp, 0.1))
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(scan.mesh.vertices), o3d.core.Tensor(scan.mesh.faces.astype(np.uint32))
    )
    off = {
        name: scene.compute_distance(
            o3d.core.Tensor(np.concatenate([one.xyz_world[one.valid] for one in rows]))
        ).numpy()
        for name, rows in patches.items()
    }
    return Sources(patches, off)


@pytest.fixture(scope="module")
def rooms() -> list[Sources]:
    found = []
    for number in (0, 1):
        scan = generate_scan(f"room{number:04d}_00", 0, GeneratedConfig(frames_per_scan=10, mesh_edge=0.03))
        good = np.flatnonzero(np.isfinite(scan.T_raw_cam).all(axis=(1, 2))).tolist()
        found.append(sources_of(scan, good, 27))
    return found


def test_the_three_sources_agree_on_generated_rooms(rooms: list[Sources]) -> None:
    for room in rooms:
        for name, least in (("mesh", 0.99), ("cloud", 0.98), ("depth", 0.99)):
            assert room.stacked(name, "valid").mean() > least
        np.testing.assert_array_equal(room.apart("mesh", "exact"), 0)
        # The points of a patch of 10 x 10 cm that have its median depth lie anywhere along a line through it:
        # sources differ by a few centimetres and are both right.
        for name in ("cloud", "depth"):
            apart = room.apart(name, "exact")
            assert np.median(apart) < 0.04
            assert np.percentile(apart, 95) < 0.2
            assert (apart < 0.05).mean() > 0.6
        assert np.percentile(room.off_surface["cloud"], 95) < 0.01
        assert room.off_surface["cloud"].max() < 0.04
        assert np.percentile(room.off_surface["depth"], 95) < 0.03
        assert room.off_surface["mesh"].max() < 1e-3


POSES = look_around(2, 4)
ROOM = make_room(3)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    depths = [depth for depth, _ in render(ROOM, DEPTH, POSES)]
    raw, extract = write_folders(tmp_path / "scan", ROOM, POSES, depths)
    vertices = apply(invert(T_ALIGNED_RAW), ROOM.vertices).astype(np.float32)
    grey = np.full(vertices.shape, 128, np.uint8)
    write_ply(raw / "room0000_00_vh_clean_2.ply", Mesh(vertices, grey, ROOM.triangles.astype(np.int32)))
    return raw, extract


def test_the_stage_lifts_from_each(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from scipy.spatial import cKDTree

    tree = cKDTree(ROOM.vertices)
    found = {}
    sources: tuple[Literal["sensor", "cloud", "mesh"], ...] = ("sensor", "cloud", "mesh")
    for source in sources:
        task = a_task(tmp_path / source, *folders)
        lift(task, LiftConfig(depth=DepthConfig(source)))
        found[source] = read_patches(task.out)
        assert found[source].valid.mean() > 0.95
        points = found[source].xyz_aligned[found[source].valid]
        assert tree.query(points)[0].max() < 0.05  # aligned, and on the room
    assert found["cloud"].frame_ids.tolist() == found["sensor"].frame_ids.tolist()
    # A mesh's rays see the whole picture of the colour camera, the depth camera less.
    assert found["mesh"].valid_share.min() == 1
    small = a_task(tmp_path / "small", *folders)
    lift(small, LiftConfig(depth=DepthConfig("mesh", width=64)))
    coarse = read_patches(small.out)
    z = [
        COLOR.project(apply(invert(pose), one.xyz_aligned[k]))[1]
        for one in (coarse, found["mesh"])
        for k, pose in enumerate(POSES)
    ]
    half = len(POSES)
    assert np.median(np.abs(np.stack(z[:half]) - np.stack(z[half:]))) < 0.03


def test_the_same_bytes_each_time(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from vantage.core.hashing import digest_tree

    sources: tuple[Literal["cloud", "mesh"], ...] = ("cloud", "mesh")
    for source in sources:
        tasks = [a_task(tmp_path / source / name, *folders) for name in ("one", "two")]
        for task in tasks:
            lift(task, LiftConfig(depth=DepthConfig(source)))
        assert digest_tree(tasks[0].out) == digest_tree(tasks[1].out)


def test_a_scan_without_points_or_mesh_says_so(folders: tuple[Path, Path], tmp_path: Path) -> None:
    raw, extract = folders
    write_points(extract, ScanPoints.plain(np.zeros((0, 3), np.float32), np.zeros(0, np.int32)))
    with pytest.raises(ScanError, match="no points to lift from"):
        lift(a_task(tmp_path / "a", raw, extract), LiftConfig(depth=DepthConfig("cloud")))
    mesh = raw / "room0000_00_vh_clean_2.ply"
    write_ply(mesh, Mesh(ROOM.vertices.astype(np.float32), np.zeros(ROOM.vertices.shape, np.uint8),
                         np.zeros((0, 3), np.int32)))  # fmt: skip
    with pytest.raises(ScanError, match="without a triangle"):
        lift(a_task(tmp_path / "b", raw, extract), LiftConfig(depth=DepthConfig("mesh")))
    mesh.unlink()
    with pytest.raises(ScanError, match="no mesh to lift from"):
        lift(a_task(tmp_path / "c", raw, extract), LiftConfig(depth=DepthConfig("mesh")))


def test_the_office_lifted_from_its_fused_points_and_surface(office: Path) -> None:
    """A real sequence without a mesh: what is fused from all frames against each frame's own depth."""
    scan = open_scan(office, "office", 1, CaptureConfig())
    images = [
        metres(decode_depth(read_bytes(office, one.depth), one.depth.encoding, None, "office"), 0.001)
        for one in scan.frames
    ]
    poses = [one.T_raw_cam for one in scan.frames]
    views = [(depth, scan.depth, T) for depth, T in zip(images, poses, strict=True)]
    surface = fuse(lambda: views, FusionConfig())
    made = {
        "cloud": CloudDepth(thinned(surface.vertices, 200_000, surface.voxel_m)),
        "mesh": MeshDepth(surface.vertices, surface.faces),
    }
    warp = squash(scan.color.width, scan.color.height, 27, 1)
    for name, source in made.items():
        off, apart, filled, shared, measured = [], [], 0, 0, 0
        for depth, T in list(zip(images, poses, strict=True))[::6]:
            own = patch_coordinates(depth, scan.depth, T, scan.color, warp, 0.1)
            found = patch_coordinates(source.image(T, scan.depth), scan.depth, T, scan.color, warp, 0.1)
            both = own.valid & found.valid
            filled += int((found.valid & ~own.valid).sum())
            one, other = (apply(invert(T), each.xyz_world[both]) for each in (own, found))
            off.append(np.abs(one[:, 2] - other[:, 2]))
            apart.append(np.linalg.norm(one - other, axis=1))
            shared, measured = shared + int(both.sum()), measured + int(own.valid.sum())
        deep, far = np.concatenate(off), np.concatenate(apart)
        assert np.median(deep) < 0.015 and (deep < 0.05).mean() > 0.85, name
        assert np.median(far) < 0.05 and (far < 0.05).mean() > 0.6, name
        assert shared > 0.8 * measured  # beyond 5 m nothing is fused, and far surfaces are ragged
        assert filled > 100  # other frames saw what is a hole in this one
