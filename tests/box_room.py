"""A room of boxes with a mesh, exact images by ray casting, and the folders that stages read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from vantage.core.tasks import Task
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import R_FLU_RDF, apply, compose, from_yaw, invert
from vantage.records.frames import Frame, PixelRef, write_frames
from vantage.records.objects import ScanPoints, SceneObject, write_objects, write_points
from vantage.records.scan import ScanMeta, write_scan

COLOR = Pinhole(384, 288, 250.0, 250.0, 190.0, 140.0)
DEPTH = Pinhole(320, 240, 205.0, 206.0, 160.0, 120.0)
T_ALIGNED_RAW = from_yaw(0.7, (1.0, -0.5, 0.2))
EDGE_M = 0.05


@dataclass(frozen=True)
class BoxRoom:
    """Vertices and triangles in the aligned world; the object of each is -1 for walls and floor."""

    vertices: np.ndarray
    instance: np.ndarray
    triangles: np.ndarray
    triangle_object: np.ndarray


def box(center: np.ndarray, size: np.ndarray, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices about 5 cm apart on the faces of a box, and its triangles."""
    vertices, triangles, offset = [], [], 0
    for axis in range(3):
        a, b = (i for i in range(3) if i != axis)
        na, nb = (max(1, int(np.ceil(size[i] / EDGE_M))) for i in (a, b))
        ga, gb = np.meshgrid(np.linspace(-0.5, 0.5, na + 1), np.linspace(-0.5, 0.5, nb + 1), indexing="ij")
        for side in (-0.5, 0.5):
            face = np.zeros((ga.size, 3))
            face[:, a], face[:, b], face[:, axis] = ga.ravel(), gb.ravel(), side
            vertices.append(apply(from_yaw(yaw, center), face * size))
            i = (np.arange(na)[:, None] * (nb + 1) + np.arange(nb)).ravel() + offset
            triangles += [np.stack([i, i + 1, i + nb + 1], 1), np.stack([i + 1, i + nb + 2, i + nb + 1], 1)]
            offset += ga.size
    return np.concatenate(vertices), np.concatenate(triangles)


def make_room(seed: int, objects: int = 12) -> BoxRoom:
    """A room of 5 x 5 x 2.6 m with boxes from the size of a bin to that of a wardrobe."""
    rng = np.random.default_rng(seed)
    parts = [(box(np.array([0.0, 0.0, 1.3]), np.array([5.0, 5.0, 2.6]), 0.0), -1)]
    for number in range(objects):
        size = rng.uniform(0.2, 0.6, 3) if number % 2 else rng.uniform([0.5, 0.4, 0.4], [1.8, 0.9, 1.2])
        angle, radius = 2 * np.pi * number / objects, rng.uniform(1.5, 2.0)
        center = np.array([radius * np.cos(angle), radius * np.sin(angle), size[2] / 2])
        parts.append((box(center, size, rng.uniform(-3, 3)), number))
    starts = np.cumsum([0] + [len(mesh[0]) for mesh, _ in parts])
    return BoxRoom(
        np.concatenate([mesh[0] for mesh, _ in parts]),
        np.concatenate([np.full(len(mesh[0]), number) for mesh, number in parts]).astype(np.int32),
        np.concatenate([mesh[1] + start for (mesh, _), start in zip(parts, starts[:-1], strict=True)]),
        np.concatenate([np.full(len(mesh[1]), number) for mesh, number in parts]),
    )


def look_around(seed: int, count: int) -> list[np.ndarray]:
    """T_aligned_cam of hand-held cameras that together look all around the room."""
    rng = np.random.default_rng(seed)
    poses = []
    for k in range(count):
        turn = [2 * np.pi * k / count, rng.uniform(0.2, 0.45), rng.normal() * 0.03]
        R = Rotation.from_euler("ZYX", turn).as_matrix() @ R_FLU_RDF
        poses.append(compose(R, np.array([*rng.uniform(-0.6, 0.6, 2), rng.uniform(1.2, 1.7)])))
    return poses


def render(
    room: BoxRoom, camera: Pinhole, poses: Sequence[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Exact depth (m) and object id of every pixel, by ray casting."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(room.vertices.astype(np.float32)), o3d.core.Tensor(room.triangles.astype(np.uint32))
    )
    images = []
    for T_world_cam in poses:
        directions = camera.rays().reshape(-1, 3) @ T_world_cam[:3, :3].T
        rays = np.concatenate([np.broadcast_to(T_world_cam[:3, 3], directions.shape), directions], axis=1)
        hit = scene.cast_rays(o3d.core.Tensor(rays.astype(np.float32)))
        depth, triangle = hit["t_hit"].numpy(), hit["primitive_ids"].numpy()
        assert np.isfinite(depth).all()  # a closed room
        shape = (camera.height, camera.width)
        images.append((depth.reshape(shape), room.triangle_object[triangle].reshape(shape)))
    return images


def sensed(depth: np.ndarray, seed: int) -> np.ndarray:
    """Depth as a structured-light sensor gives it: noise that grows with z squared, and 3 % holes."""
    rng = np.random.default_rng(seed)
    noisy = depth + rng.normal(size=depth.shape) * (0.001 + 0.0019 * (depth - 0.4) ** 2)
    return np.where(rng.random(depth.shape) < 0.03, 0, noisy).astype(np.float32)


def write_folders(
    base: Path,
    room: BoxRoom,
    poses: Sequence[np.ndarray],
    depths: Sequence[np.ndarray],
    labelled: bool = True,
) -> tuple[Path, Path]:
    """The raw folder and the extract folder of a scan; the raw world is turned against the aligned one."""
    raw, extract = base / "raw", base / "extract"
    raw.mkdir(parents=True)
    extract.mkdir()
    size = 2 * DEPTH.width * DEPTH.height
    millimetres = [np.rint(depth * 1000).astype("<u2") for depth in depths]
    (raw / "depth.bin").write_bytes(b"".join(image.tobytes() for image in millimetres))
    T_raw_aligned = invert(T_ALIGNED_RAW)
    frames = [
        Frame(10 * i, True, "", T_raw_aligned @ pose, 0.0, PixelRef("none", 0, 0, "jpeg"),
              PixelRef("depth.bin", i * size, size, "raw_ushort"), 1.0, 1.0, 0.5)
        for i, pose in enumerate(poses)
    ]  # fmt: skip
    lost = Frame(
        5, False, "lost", np.full((4, 4), -np.inf), 0.0, frames[0].color, frames[0].depth, 0.0, 0.0, 0.0
    )
    write_frames(extract, [*frames, lost])
    write_scan(
        extract, ScanMeta("room0000_00", "room0000", T_ALIGNED_RAW, COLOR, DEPTH, 0.001, labelled=labelled)
    )
    ids = [int(i) for i in np.unique(room.instance) if i >= 0] if labelled else []
    flat = (np.zeros(3), np.ones(3), np.eye(3))
    write_objects(extract, [SceneObject(i, "box", 29, "box", None, *flat, points=1) for i in ids])
    coord = apply(T_raw_aligned, room.vertices).astype(np.float32)
    write_points(
        extract, ScanPoints.plain(coord, room.instance if labelled else np.full_like(room.instance, -1))
    )
    return raw, extract


def a_task(base: Path, raw: Path, extract: Path, seed: int = 0) -> Task:
    """A task with fresh folders under `base`."""
    out, work = base / "out", base / "work"
    out.mkdir(parents=True)
    work.mkdir()
    return Task("room0000_00", {"download": raw, "extract": extract}, out, work, seed)
