"""A small hand-made scan in ScanNet's raw files, and the same frames in the extracted layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from vantage.core.tasks import Task
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, from_yaw, invert
from vantage.scans.annotations import Group, write_aggregation, write_attributes, write_segments
from vantage.scans.codecs import encode_jpeg, encode_png16
from vantage.scans.ply import Mesh, write_ply
from vantage.scans.scan_txt import write_scan_txt
from vantage.scans.sens import SensWriter

COLOR = Pinhole(64, 48, 60.0, 61.0, 31.5, 23.5)
DEPTH = Pinhole(40, 30, 35.0, 36.0, 19.5, 14.5)
T_ALIGNED_RAW = from_yaw(0.5, np.array([1.0, -2.0, 0.25]))

#: Looking along the aligned x axis from 1.5 m height.
T_ALIGNED_CAM = compose(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.array([0.0, 0.0, 1.5]))


@dataclass(frozen=True)
class Furniture:
    """An upright box in the aligned world: centre, size (m), yaw."""

    label: str
    center: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float


FURNITURE = (
    Furniture("chair", (2.0, 0.5, 0.45), (0.5, 0.4, 0.9), 0.3),
    Furniture("nightstand", (3.0, -1.0, 0.3), (0.5, 0.35, 0.6), -0.6),
    Furniture("thingamajig", (1.0, 1.0, 0.1), (0.2, 0.3, 0.2), 0.0),
)


def picture(seed: int) -> np.ndarray:
    """Noise in blocks of 4 pixels: sharp at any size it is looked at."""
    small = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.kron(small, np.ones((4, 4, 1), dtype=np.uint8))


def depth_image(frame: int) -> np.ndarray:
    """2 m plus one millimetre a frame, with a row of each kind of hole."""
    depth = np.full((30, 40), 2000 + frame, dtype=np.uint16)
    depth[0], depth[1] = 0, 65535
    return depth


def pose(frame: int) -> np.ndarray:
    """T_raw_cam: a step of 5 cm to the aligned y axis each frame."""
    T = T_ALIGNED_CAM.copy()
    T[1, 3] += 0.05 * frame
    return invert(T_ALIGNED_RAW) @ T


def surface(item: Furniture) -> np.ndarray:
    """Points of a box in the aligned world: a lattice that includes its corners."""
    axis = np.linspace(-0.5, 0.5, 5)
    lattice = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return apply(from_yaw(item.yaw, np.array(item.center)), lattice * np.array(item.size))


def write_raw_scan(folder: Path, scan_id: str, frames: int = 4, lost: tuple[int, ...] = (1,)) -> Path:
    """A scan as ScanNet ships one; the poses of frames in `lost` are -inf."""
    folder.mkdir(parents=True, exist_ok=True)
    with SensWriter(folder / f"{scan_id}.sens", COLOR, DEPTH) as writer:
        for k in range(frames):
            T = np.full((4, 4), -np.inf) if k in lost else pose(k)
            writer.add(encode_jpeg(picture(k)), depth_image(k), T, timestamp_us=33_000 * k)
    points = [apply(invert(T_ALIGNED_RAW), surface(item)) for item in FURNITURE]
    ground = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    vertices = np.concatenate([ground, *points]).astype(np.float32)
    # Every object is two segments; segment 99 belongs to nobody.
    segments = [np.full(3, 99)]
    segments += [np.where(np.arange(len(p)) % 2 == 0, 10 * k, 10 * k + 1) for k, p in enumerate(points)]
    mesh = Mesh(vertices, np.full(vertices.shape, 90, np.uint8), np.array([[0, 1, 2]], np.int32))
    write_ply(folder / f"{scan_id}_vh_clean_2.ply", mesh)
    indices = np.concatenate(segments).astype(np.int32)
    write_segments(folder / f"{scan_id}_vh_clean_2.0.010000.segs.json", scan_id, indices)
    groups = [Group(k, item.label, (10 * k, 10 * k + 1)) for k, item in enumerate(FURNITURE)]
    write_aggregation(folder / f"{scan_id}.aggregation.json", scan_id, groups)
    write_attributes(folder / f"{scan_id}.attributes.json", {0: "red"})
    write_scan_txt(folder / f"{scan_id}.txt", COLOR, DEPTH, frames, T_aligned_raw=T_ALIGNED_RAW)
    return folder


def write_extracted_scan(folder: Path, ids: tuple[int, ...] = (3, 12, 100)) -> Path:
    """The frames alone, in ScanNet's extracted layout, with ids that are not contiguous."""
    for part in ("color", "depth", "pose", "intrinsic"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for k in ids:
        (folder / "color" / f"{k}.jpg").write_bytes(encode_jpeg(picture(k)))
        (folder / "depth" / f"{k}.png").write_bytes(encode_png16(depth_image(k)))
        np.savetxt(folder / "pose" / f"{k}.txt", pose(k), fmt="%.6f")
    for name, camera in {"color": COLOR, "depth": DEPTH}.items():
        K = np.eye(4)
        K[:3, :3] = camera.matrix()
        np.savetxt(folder / "intrinsic" / f"intrinsic_{name}.txt", K, fmt="%.6f")
    return folder


@pytest.fixture
def raw_scan(tmp_path: Path) -> Path:
    return write_raw_scan(tmp_path / "scans" / "scene0000_00", "scene0000_00")


@pytest.fixture
def extracted_scan(tmp_path: Path) -> Path:
    return write_extracted_scan(tmp_path / "scans" / "kitchen")


@pytest.fixture
def make_task(tmp_path: Path) -> Callable[..., Task]:
    """A task with empty folders of its own."""
    count = iter(range(1000))

    def make(item: str, **inputs: Path) -> Task:
        base = tmp_path / "tasks" / str(next(count))
        (base / "out").mkdir(parents=True)
        (base / "work").mkdir()
        return Task(item, inputs, base / "out", base / "work", 0)

    return make


class Writers:
    """The writers above, for tests that choose frames and places themselves."""

    raw = staticmethod(write_raw_scan)
    extracted = staticmethod(write_extracted_scan)


@pytest.fixture
def writers() -> Writers:
    return Writers()


@pytest.fixture
def furniture() -> tuple[Furniture, ...]:
    return FURNITURE
