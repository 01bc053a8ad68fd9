"""Frames that see the same surface agree in depth: on a made wall, and on the real office."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from depth_agreement import PairAgreement, compare_depth, depth_agreement, median_share
from vantage.core.tasks import Task
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import compose, from_yaw, invert
from vantage.records.frames import kept_frames, read_frames
from vantage.records.scan import read_scan
from vantage.scans.config import DownloadConfig, ExtractConfig, FolderConfig
from vantage.scans.stage import download, extract, list_scans

CAMERA = Pinhole(80, 60, 70.0, 72.0, 38.0, 31.0)


def wall_depth(camera: Pinhole, T_world_cam: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """Exact depth of the plane normal . p = offset, from the ray of every pixel."""
    rays = camera.rays() @ T_world_cam[:3, :3].T
    depth = (offset - normal @ T_world_cam[:3, 3]) / (rays @ normal)
    return np.where(depth > 0, depth, 0).astype(np.float32)


def looking(yaw: float, x: float) -> np.ndarray:
    R = from_yaw(yaw)[:3, :3] @ np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    return compose(R, np.array([x, 0.2, 1.4]))


NORMAL, OFFSET = np.array([math.cos(0.4), math.sin(0.4), 0.0]), 3.0


def test_a_wall_seen_twice_agrees_and_a_wrong_pose_does_not() -> None:
    A, B = looking(0.0, 0.0), looking(0.2, 0.3)
    a, b = (wall_depth(CAMERA, T, NORMAL, OFFSET) for T in (A, B))
    shared, agreeing = compare_depth(a, b, CAMERA, CAMERA, invert(B) @ A)
    # The nearest pixel is up to half a pixel away: millimetres on this wall.
    assert shared > 2000 and agreeing == shared
    for wrong in (A, looking(-0.2, 0.3), looking(0.2, -0.3)):  # left out, turned or moved the other way
        shared, agreeing = compare_depth(a, b, CAMERA, CAMERA, invert(wrong) @ A)
        assert agreeing < 0.5 * shared
    shared, agreeing = compare_depth(a, (b * 1.05).astype(np.float32), CAMERA, CAMERA, invert(B) @ A)
    assert agreeing < 0.05 * shared  # a depth scale off by a twentieth


def test_holes_and_pixels_outside_do_not_count() -> None:
    A = looking(0.0, 0.0)
    a = wall_depth(CAMERA, A, NORMAL, OFFSET)
    b = a.copy()
    b[:, :40] = 0
    assert compare_depth(a, b, CAMERA, CAMERA, np.eye(4)) == (60 * 40, 60 * 40)
    assert compare_depth(np.zeros_like(a), b, CAMERA, CAMERA, np.eye(4)) == (0, 0)
    assert compare_depth(a, a, CAMERA, CAMERA, invert(looking(math.pi, 0.0)) @ A) == (0, 0)


def test_median_over_pairs_that_share_enough() -> None:
    results = [PairAgreement(0, 1, 600, 0.9), PairAgreement(1, 2, 499, 0.1), PairAgreement(2, 3, 0, math.nan)]
    assert median_share(results) == (0.9, 1)
    share, pairs = median_share(results[2:])
    assert math.isnan(share) and pairs == 0


@pytest.fixture(scope="module")
def extracted_office(office: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The real office through download (folder) and extract."""
    config = DownloadConfig(source="folder", folder=FolderConfig(path=str(office)))
    (scan_id,) = list_scans(config, 0)
    base = tmp_path_factory.mktemp("office")
    for name in ("raw", "frames", "work"):
        (base / name).mkdir()
    download(Task(scan_id, {}, base / "raw", base / "work", 0), config)
    extract(Task(scan_id, {"download": base / "raw"}, base / "frames", base / "work", 0), ExtractConfig())
    return base / "raw", base / "frames"


def test_the_real_office_goes_through(office: Path, extracted_office: tuple[Path, Path]) -> None:
    _, out = extracted_office
    meta, frames = read_scan(out), read_frames(out)
    assert (meta.scan_id, meta.room_id, meta.labelled) == ("office_hololens", "office_hololens", False)
    assert (meta.color.width, meta.color.height) == (540, 360)
    assert len(frames) == 42 and all(frame.kept for frame in frames)
    assert [f.frame_id for f in frames][:3] == [3, 12, 21]
    for frame in frames[::10]:
        stored = np.asarray(Image.open(office / "depth" / f"{frame.frame_id}.png"))
        assert frame.depth_valid_share == pytest.approx((stored > 0).mean())


def test_adjacent_frames_of_the_real_office_agree(
    extracted_office: tuple[Path, Path], record_property: Callable[[str, object], None]
) -> None:
    """Poses, intrinsics and depth scale together: none of them can be wrong and this still hold."""
    raw, out = extracted_office
    results = depth_agreement(raw, kept_frames(out), read_scan(out))
    share, pairs = median_share(results, min_shared=500)
    record_property("median share within 5 cm", f"{share:.4f} over {pairs} pairs")
    assert pairs >= 30
    assert share > 0.95, f"median share within 5 cm is {share:.3f} over {pairs} pairs; about 0.97 expected"
