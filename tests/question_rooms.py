"""Rooms and scans small enough to make in a test; what a camera sees is decided by box centres alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from vantage.core.tasks import Task
from vantage.geometry import transforms
from vantage.geometry.camera import Pinhole
from vantage.questions import words
from vantage.questions.scene import RoomObject, Scene, Seen, Situated
from vantage.records.frames import Frame, PixelRef, write_frames
from vantage.records.objects import SceneObject, write_objects
from vantage.records.scan import ScanMeta, write_scan
from vantage.records.visibility import Visibility, write_visibility

CAMERA = Pinhole(384, 288, 250.0, 250.0, 191.5, 143.5)
PIXELS = PixelRef("scan.sens", 0, 0, "jpeg")


def random_scene(rng: np.random.Generator, groups: int = 7) -> Scene:
    objects: list[RoomObject] = []
    for color in rng.permutation(words.COLORS)[:groups]:
        label = str(rng.choice(words.CLASSES[:7]))  # few classes, so that some repeat in another colour
        height = float(rng.uniform(0.3, 2.0))
        for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
            x, y = (float(v) for v in rng.uniform(-3, 3, 2))
            objects.append(
                RoomObject(len(objects), label, str(color), (x, y, height / 2), (0.5, 0.6, height))
            )
    return Scene(objects)


def random_seen(scene: Scene, rng: np.random.Generator) -> Seen:
    first = {o.object_id: float(rng.uniform(0, 63)) for o in scene.objects if rng.random() < 0.4}
    first = {k: column if rng.random() < 0.9 else math.nan for k, column in first.items()}
    others = {o.object_id for o in scene.objects if rng.random() < 0.7}
    return Seen(first, frozenset(first) | others)


def random_ego(rng: np.random.Generator) -> np.ndarray:
    x, y = rng.uniform(-2, 2, 2)
    return transforms.from_yaw(float(rng.uniform(-math.pi, math.pi)), (float(x), float(y), 0.0))


def random_situated(seed: int) -> Situated:
    rng = np.random.default_rng(seed)
    scene = random_scene(rng)
    return Situated(scene, random_ego(rng), random_seen(scene, rng))


def look_from(x: float, y: float, yaw: float) -> np.ndarray:
    """A camera 1.4 m above (x, y) that looks along `yaw`, 0.3 rad down."""
    T = transforms.from_yaw(yaw, (x, y, 1.4))
    c, s = math.cos(0.3), math.sin(0.3)
    pitch = transforms.compose(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]), np.zeros(3))
    return T @ pitch @ transforms.compose(transforms.R_FLU_RDF, np.zeros(3))


def write_scan_folders(folder: Path, scan_id: str, scene: Scene, frames: int = 12) -> dict[str, Path]:
    """Folders `extract` and `recover` of a scan that walks a circle and looks around."""
    extract, recover = folder / "extract" / scan_id, folder / "recover" / scan_id
    extract.mkdir(parents=True)
    recover.mkdir(parents=True)
    T_aligned_raw = transforms.from_yaw(0.7, (1.0, -2.0, 0.3))
    room = scan_id.rpartition("_")[0]
    write_scan(extract, ScanMeta(scan_id, room, T_aligned_raw, CAMERA, CAMERA, 0.001, True))
    angles = np.linspace(0, 2 * math.pi, frames, endpoint=False)
    poses = [look_from(2 * math.cos(a), 2 * math.sin(a), a + math.pi + math.sin(5 * a)) for a in angles]
    raw = [transforms.invert(T_aligned_raw) @ pose for pose in poses]
    rows = [Frame(10 * i, True, "", T, 0.0, PIXELS, PIXELS, 1.0, 1.0, 0.5) for i, T in enumerate(raw)]
    lost = replace(rows[0], frame_id=5, kept=False, reason="lost", T_raw_cam=np.full((4, 4), -np.inf))
    write_frames(extract, [*rows, lost])
    write_objects(
        extract,
        [
            SceneObject(
                o.object_id, o.label, 1, o.label, o.color, np.array(o.center), np.array(o.size), np.eye(3), 10
            )
            for o in scene.objects
        ],
    )
    centers = np.array([o.center for o in scene.objects]).reshape(-1, 3)
    inside = [
        CAMERA.inside(CAMERA.project(transforms.apply(transforms.invert(T), centers))[0]) for T in poses
    ]
    pixels = np.where(np.array(inside), 40.0, 3.0).astype(np.float32).reshape(len(poses), -1)
    ids = np.array([o.object_id for o in scene.objects], dtype=np.int64)
    frame_ids = np.array([row.frame_id for row in rows], dtype=np.int64)
    write_visibility(recover, Visibility(frame_ids, ids, pixels / 100, pixels / 100, pixels))
    return {"extract": extract, "recover": recover}


def scan_task(folder: Path, scan_id: str, scene: Scene, seed: int = 3, frames: int = 12) -> Task:
    """The synthesize task of a scan in `folder`; its output lies in `folder/out/SCAN`."""
    out = folder / "out" / scan_id
    out.mkdir(parents=True)
    return Task(scan_id, write_scan_folders(folder, scan_id, scene, frames), out, folder / "work", seed)
