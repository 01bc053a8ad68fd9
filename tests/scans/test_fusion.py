"""Depth fused into a surface: where it lies, and what decides its bytes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshless import Truth
from vantage.core.errors import ScanError
from vantage.geometry.camera import Pinhole
from vantage.geometry.transforms import apply, compose, from_yaw
from vantage.scans import fusion
from vantage.scans.config import FusionConfig
from vantage.scans.fusion import View, fuse, thinned
from vantage.scans.generated.config import GeneratedConfig, NoiseConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan

EYE = Pinhole(160, 120, 130.0, 131.0, 78.0, 60.5)
NO_NOISE = NoiseConfig(0.0, 0.0, 20.0, 0.0, 0.0, 0.0, 0.0)


def views_of(scan: GeneratedScan) -> Callable[[], Iterator[View]]:
    def views() -> Iterator[View]:
        for depth, T in zip(scan.depth, scan.T_raw_cam, strict=True):
            if np.isfinite(T).all():
                yield (depth / 1000).astype(np.float32), scan.depth_camera, T

    return views


def tilted(slope: float) -> np.ndarray:
    """Exact depth of the plane z = 2 + slope x."""
    x = EYE.rays()[..., 0]
    return (2 / (1 - slope * x)).astype(np.float32)


@pytest.mark.parametrize("slope", [0.0, 0.7, -0.7])
def test_a_plane_is_where_it_was_measured(slope: float) -> None:
    """Half a pixel would move a plane tilted by 35 degrees by 5 mm at this size."""
    T = compose(from_yaw(0.4)[:3, :3], np.array([3.0, -1.0, 0.5]))
    surface = fuse(lambda: [(tilted(slope), EYE, T)] * 2, FusionConfig())
    local = apply(np.linalg.inv(T), surface.vertices)
    off = (local[:, 2] - 2 - slope * local[:, 0]) / np.hypot(1, slope)
    assert len(off) > 3000
    assert abs(np.median(off)) < 0.001
    assert np.percentile(np.abs(off), 95) < 0.005  # the image is read at the nearest pixel
    # Triangles turn one way: their normals point at the camera.
    a, b, c = (surface.vertices[surface.faces[:, k]].astype(float) for k in range(3))
    towards = np.einsum("ij,ij->i", np.cross(b - a, c - a), T[:3, 3] - a)
    assert (towards > 0).mean() > 0.97  # steps between pixels make slivers of any direction


@pytest.fixture(scope="module")
def scans() -> list[GeneratedScan]:
    noisy = GeneratedConfig(frames_per_scan=16)
    exact = GeneratedConfig(frames_per_scan=16, mesh_edge=0.03, noise=NO_NOISE)
    return [generate_scan("room0000_00", 0, noisy), generate_scan("room0000_00", 0, exact)]


def test_points_lie_on_the_true_surface(scans: list[GeneratedScan]) -> None:
    for scan, median_mm, high_mm in zip(scans, (4, 2), (20, 15), strict=True):
        surface = fuse(views_of(scan), FusionConfig())
        distance, _ = Truth(scan).nearest(surface.vertices)
        assert len(surface.vertices) > 50_000
        assert np.median(distance) * 1000 < median_mm
        assert np.percentile(distance, 95) * 1000 < high_mm
        assert distance.max() < 0.12  # truncation bounds how far an edge may be off


def test_more_frames_asked_for_leave_less_and_better(scans: list[GeneratedScan]) -> None:
    found = [fuse(views_of(scans[0]), FusionConfig(min_frames=n)) for n in (1, 2, 4)]
    sizes = [len(one.vertices) for one in found]
    assert sizes[0] > sizes[1] > sizes[2] > 0
    wrong = [np.percentile(Truth(scans[0]).nearest(one.vertices)[0], 99) for one in found]
    assert wrong[0] > wrong[1] > wrong[2]
    one = next(iter(views_of(scans[0])()))
    assert len(fuse(lambda: [one], FusionConfig(min_frames=2)).vertices) == 0
    assert len(fuse(lambda: [one], FusionConfig()).vertices) > 1000


DIGEST = """
import hashlib
from vantage.scans.config import FusionConfig
from vantage.scans.fusion import fuse
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import generate_scan
scan = generate_scan("room0001_00", 0, GeneratedConfig(frames_per_scan=6))
def views():
    for depth, T in zip(scan.depth, scan.T_raw_cam):
        if abs(T).max() < 1e6:
            yield (depth / 1000).astype("float32"), scan.depth_camera, T
found = fuse(views, FusionConfig())
print(len(found.vertices), hashlib.sha256(found.vertices.tobytes() + found.faces.tobytes()).hexdigest())
"""


def test_threads_do_not_show() -> None:
    lines = set()
    for threads in ("1", "3"):
        env = os.environ | {"OMP_NUM_THREADS": threads}
        command = [sys.executable, "-c", DIGEST]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        lines.add(done.stdout)
    assert len(lines) == 1 and int(lines.pop().split()[0]) > 10_000


def test_what_is_too_large_is_fused_with_larger_voxels(
    scans: list[GeneratedScan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fusion, "MOST_BLOCKS", 200)
    coarse = fuse(views_of(scans[0]), FusionConfig())
    assert coarse.voxel_m in (0.04, 0.08)
    distance, _ = Truth(scans[0]).nearest(coarse.vertices)
    assert np.median(distance) < 0.01


def test_nothing_to_fuse() -> None:
    hole = np.zeros((EYE.height, EYE.width), np.float32)
    beyond = np.full_like(hole, 8.0)
    single = hole.copy()
    single[60, 80] = 2.0
    for depths in ([], [hole], [beyond, beyond], [single, single]):
        surface = fuse(lambda depths=depths: [(d, EYE, np.eye(4)) for d in depths], FusionConfig())  # type: ignore[misc]
        assert surface.faces.shape == (len(surface.faces), 3)
        if depths and depths[0] is not single:
            assert len(surface.vertices) == 0
    T = np.eye(4)
    T[0, 3] = 1e8
    with pytest.raises(ScanError, match="too far away to fuse"):
        fuse(lambda: [(tilted(0.0), EYE, T)], FusionConfig())


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 500))
def test_thinning_takes_some_of_the_points_evenly(seed: int, most: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    points = np.unique(rng.normal(size=(count, 3)).astype(np.float32), axis=0)
    found = thinned(points, most, 0.02)
    assert 1 <= len(found) <= most
    assert len(found) == min(most, len(points)) or len(found) < len(points)
    assert {row.tobytes() for row in found} <= {row.tobytes() for row in points}
    shuffled = thinned(rng.permutation(points), most, 0.02)
    assert {row.tobytes() for row in found} == {row.tobytes() for row in shuffled}


def test_thinning_keeps_the_shape() -> None:
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(0)
    plane = np.column_stack([rng.uniform(0, 2, (40_000, 2)), np.zeros(40_000)]).astype(np.float32)
    found = thinned(plane, 3000, 0.02)
    assert 2000 < len(found) <= 3000
    assert cKDTree(found).query(plane)[0].max() < 0.08  # no patch of the plane is left bare


def test_a_truncation_under_two_voxels_is_refused() -> None:
    with pytest.raises(ValueError, match="under two voxels"):
        FusionConfig(voxel_m=0.05)
