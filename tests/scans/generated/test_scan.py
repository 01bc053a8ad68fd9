"""Generated scans: reproducible, consistent in both worlds, and written as ScanNet writes them."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vantage.core.errors import ParameterError
from vantage.geometry.transforms import apply, invert, is_rigid
from vantage.scans import scannet
from vantage.scans.annotations import instances
from vantage.scans.generated.config import GeneratedConfig, NoiseConfig, scan_ids
from vantage.scans.generated.scan import GeneratedScan, generate_scan, room_id_of, write_scan
from vantage.scans.sens import SensReader

CONFIG = GeneratedConfig(
    rooms=3, frames_per_scan=6, color_width=96, color_height=72, depth_width=80, depth_height=60
)
SEED = 11


@pytest.fixture(scope="module")
def scan() -> GeneratedScan:
    return generate_scan("room0001_00", SEED, CONFIG)


@pytest.fixture(scope="module")
def folder(scan: GeneratedScan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scan")
    write_scan(scan, path)
    return path


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_scan_ids_are_sorted_and_every_tenth_room_comes_twice() -> None:
    ids = scan_ids(GeneratedConfig())
    assert len(ids) == 154 and ids == sorted(ids)
    assert "room0010_01" in ids and "room0011_01" not in ids
    assert scan_ids(replace(CONFIG, second_scan_every=0)) == ["room0000_00", "room0001_00", "room0002_00"]


def test_the_same_bytes_again_and_whatever_the_number_of_rooms(folder: Path, tmp_path: Path) -> None:
    write_scan(generate_scan("room0001_00", SEED, replace(CONFIG, rooms=99)), tmp_path)
    assert digests(tmp_path) == digests(folder)


def test_a_second_scan_is_the_same_room_seen_otherwise(scan: GeneratedScan) -> None:
    other = generate_scan("room0001_01", SEED, CONFIG)
    assert other.room == scan.room
    assert np.abs(other.T_aligned_raw - scan.T_aligned_raw).max() > 0.05
    assert not np.array_equal(other.color, scan.color)
    assert generate_scan("room0001_00", SEED + 1, CONFIG).room != scan.room


def test_the_alignment_puts_the_floor_at_zero(scan: GeneratedScan) -> None:
    assert is_rigid(scan.T_aligned_raw, 1e-9)
    assert np.abs(scan.T_aligned_raw[2, :2]).max() < 1e-12
    floor = next(i.object_id for i in scan.room.structure if i.label == "floor")
    aligned = apply(scan.T_aligned_raw, scan.mesh.vertices.astype(float))
    on_floor = aligned[scan.mesh.object_id == floor]
    assert np.abs(on_floor[:, 2]).max() < 0.012
    assert np.ptp(on_floor[:, 0]) == pytest.approx(scan.room.width, abs=0.03)
    assert aligned[:, 2].min() > -0.02


def test_the_mesh_fills_the_boxes_of_its_objects(scan: GeneratedScan) -> None:
    aligned = apply(scan.T_aligned_raw, scan.mesh.vertices.astype(float))
    for item in scan.room.items:
        own = aligned[scan.mesh.object_id == item.object_id] - item.center
        c, s = math.cos(item.yaw), math.sin(item.yaw)
        local = own @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        assert len(own) > 50
        assert np.allclose(local.max(0), np.array(item.size) / 2, atol=0.03), item
        assert np.allclose(-local.min(0), np.array(item.size) / 2, atol=0.03), item


def test_triangles_are_small_and_segments_stay_in_one_object(scan: GeneratedScan) -> None:
    mesh = scan.mesh
    corners = mesh.vertices[mesh.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    # The fans on top of lamps are coarser.
    assert np.quantile(edges.max(1), 0.998) < CONFIG.mesh_edge * math.sqrt(2) + 0.02
    assert np.all(np.ptp(mesh.object_id[mesh.faces], axis=1) == 0)
    for segment in np.unique(mesh.segment):
        assert len(np.unique(mesh.object_id[mesh.segment == segment])) == 1


def test_triangles_face_outwards(scan: GeneratedScan) -> None:
    """Floor up, walls inwards."""
    aligned = apply(scan.T_aligned_raw, scan.mesh.vertices.astype(float))
    a, b, c = (aligned[scan.mesh.faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    owner = scan.mesh.object_id[scan.mesh.faces[:, 0]]
    for item in scan.room.structure:
        mine = normal[owner == item.object_id]
        front = (0, 0, 1) if item.label == "floor" else (math.cos(item.yaw), math.sin(item.yaw), 0)
        if item.label in ("floor", "wall"):
            assert (mine @ np.array(front) > 0).mean() > 0.99


def test_depth_meets_the_mesh(scan: GeneratedScan) -> None:
    """Depth, poses and mesh in the raw world agree: measured points lie near vertices."""
    from scipy.spatial import cKDTree

    tree = cKDTree(scan.mesh.vertices)
    camera = scan.depth_camera
    for depth, T in zip(scan.depth, scan.T_raw_cam, strict=True):
        if not np.isfinite(T).all():
            continue
        v, u = np.nonzero(depth)
        z = depth[v, u] / 1000.0
        p = np.stack([(u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z], 1)
        world = apply(T, p)
        low = (
            apply(scan.T_aligned_raw, world)[:, 2] < scan.room.height - 0.1
        )  # the ceiling is not in the mesh
        assert np.median(tree.query(world[low])[0]) < 0.04


def test_lost_frames_are_minus_infinity() -> None:
    lossy = replace(CONFIG, noise=NoiseConfig(lost=0.5))
    poses = generate_scan("room0002_00", SEED, lossy).T_raw_cam
    lost = ~np.isfinite(poses[:, 0, 0])
    assert 0 < lost.sum() < len(poses)
    assert np.all(np.isneginf(poses[lost]))
    assert all(is_rigid(T, 1e-9) for T in poses[~lost])


def test_the_folder_reads_back(scan: GeneratedScan, folder: Path) -> None:
    name = scan.scan_id
    with SensReader(folder / f"{name}.sens") as sens:
        assert len(sens) == CONFIG.frames_per_scan
        for k in range(len(sens)):
            assert np.array_equal(sens.depth(k), scan.depth[k])
            error = np.abs(sens.color(k).astype(int) - scan.color[k]).mean()
            assert error < 6
    mesh = scannet.read_ply(folder / f"{name}_vh_clean_2.ply")
    assert np.array_equal(mesh.vertices, scan.mesh.vertices)
    segments = scannet.read_segments(folder / f"{name}{scannet.SEGMENTS}", len(mesh.vertices))
    groups = scannet.read_aggregation(folder / f"{name}{scannet.AGGREGATION}").groups
    assert np.array_equal(instances(segments.of_vertex, groups), scan.mesh.object_id)
    assert [(g.object_id, g.label) for g in groups] == [(i.object_id, i.label) for i in scan.room.objects]
    txt = scannet.read_scan_txt(folder / f"{name}.txt")
    T = scannet.axis_alignment(txt, "txt")
    assert T is not None and np.allclose(T, scan.T_aligned_raw, atol=1e-5)
    assert np.allclose(invert(T) @ T, np.eye(4), atol=1e-5)
    colors = scannet.read_attributes(folder / f"{name}{scannet.ATTRIBUTES}")
    assert colors == {i.object_id: i.color for i in scan.room.items}


def test_a_foreign_name_is_refused() -> None:
    assert room_id_of("room0003_01") == "room0003"
    with pytest.raises(ParameterError, match="name of a generated scan"):
        generate_scan("kitchen", SEED, CONFIG)
