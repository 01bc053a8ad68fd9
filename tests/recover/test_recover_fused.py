"""Visibility of a capture without a mesh: of points fused from its depth, against the mesh and exact rays."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from meshless import write_capture, write_masks
from vantage.core.tasks import Task
from vantage.geometry.transforms import apply, invert
from vantage.records.frames import kept_frames
from vantage.records.objects import read_points
from vantage.records.visibility import Visibility, read_visibility
from vantage.recover.config import RecoverConfig
from vantage.recover.stage import recover
from vantage.scans.config import ExtractConfig
from vantage.scans.generated.config import GeneratedConfig
from vantage.scans.generated.scan import GeneratedScan, generate_scan, write_scan
from vantage.scans.stage import extract


@dataclass
class Heard:
    lines: list[str] = field(default_factory=list)

    def step(self, done: int, total: int, note: str = "") -> None:
        """Steps are not kept."""

    def say(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)


def recovered(base: Path, scan_id: str, raw: Path, heard: Heard | None = None) -> tuple[Visibility, Path]:
    """Visibility and the extract folder of a raw scan."""
    tasks = []
    for name in ("extract", "recover"):
        out, work = base / name / "out", base / name / "work"
        out.mkdir(parents=True)
        work.mkdir()
        inputs = {"download": raw} | ({"extract": tasks[0].out} if tasks else {})
        tasks.append(Task(scan_id, inputs, out, work, 0, heard or Heard()))
    extract(tasks[0], ExtractConfig())
    recover(tasks[1], RecoverConfig())
    return read_visibility(tasks[1].out), tasks[0].out


@dataclass(frozen=True)
class Both:
    """The same room from fused depth and from its mesh; scores of the frames and objects of both."""

    scan: GeneratedScan
    extracted: Path
    frame_ids: np.ndarray
    object_ids: np.ndarray
    fused: np.ndarray
    mesh: np.ndarray
    fused_px: np.ndarray
    mesh_px: np.ndarray


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    base = tmp_path_factory.mktemp("fused")
    scan = generate_scan("room0000_00", 0, GeneratedConfig(frames_per_scan=16, mesh_edge=0.04))
    capture = write_capture(scan, base / "captures" / scan.scan_id)
    write_masks(scan, capture)
    whole = base / "whole"
    whole.mkdir()
    write_scan(scan, whole)
    fused, extracted = recovered(base / "a", scan.scan_id, capture)
    mesh, _ = recovered(base / "b", scan.scan_id, whole)
    frame_ids = np.intersect1d(fused.frame_ids, mesh.frame_ids)
    object_ids = np.intersect1d(fused.object_ids, mesh.object_ids)

    def of(one: Visibility, matrix: np.ndarray) -> np.ndarray:
        rows = np.searchsorted(one.frame_ids, frame_ids)
        return matrix[np.ix_(rows, np.searchsorted(one.object_ids, object_ids))]

    pixels = of(fused, fused.visible_px), of(mesh, mesh.visible_px)
    return Both(
        scan, extracted, frame_ids, object_ids, of(fused, fused.scores), of(mesh, mesh.scores), *pixels
    )


def by_rays(both: Both) -> np.ndarray:
    """Share of each object's fused points in the picture with nothing of the true mesh 3 cm before them."""
    import open3d as o3d

    mesh, points = both.scan.mesh, read_points(both.extracted)
    caster = o3d.t.geometry.RaycastingScene()
    caster.add_triangles(o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.faces.astype(np.uint32)))
    poses = {frame.frame_id: frame.T_raw_cam for frame in kept_frames(both.extracted)}
    p = points.coord.astype(np.float64)
    shares = np.zeros((len(both.frame_ids), len(both.object_ids)))
    for row, frame_id in enumerate(both.frame_ids.tolist()):
        T = poses[frame_id]
        rays = np.c_[np.broadcast_to(T[:3, 3], p.shape), p - T[:3, 3]].astype(np.float32)
        hit = caster.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy()
        free = (hit - 1) * np.linalg.norm(rays[:, 3:], axis=1) > -0.03
        camera = both.scan.color_camera
        seen = free & camera.inside(camera.project(apply(invert(T), p))[0])
        shares[row] = [seen[points.instance == k].mean() for k in both.object_ids.tolist()]
    return shares


def test_scores_of_fused_points_are_true_of_those_points(both: Both) -> None:
    exact = by_rays(both)
    concerned = (both.fused > 0.02) | (exact > 0.02)
    error = (both.fused - exact)[concerned]
    print(f"fused against rays: {np.abs(error).mean():.3f}, bias {error.mean():+.3f}")
    assert concerned.sum() > 80
    assert np.abs(error).mean() < 0.04
    assert np.corrcoef(both.fused[concerned], exact[concerned])[0, 1] > 0.98


def test_scores_rank_frames_as_those_of_the_mesh(both: Both) -> None:
    """A fused object lacks what no frame saw, so its scores are higher; frames are ranked alike."""
    concerned = (both.fused > 0.02) | (both.mesh > 0.02)
    error = (both.fused - both.mesh)[concerned]
    print(f"fused against mesh: {np.abs(error).mean():.3f}, bias {error.mean():+.3f}")
    assert np.abs(error).mean() < 0.3
    assert error.mean() > 0
    moving = [
        k for k in range(len(both.object_ids)) if min(both.fused[:, k].std(), both.mesh[:, k].std()) > 0
    ]
    alike = [np.corrcoef(both.fused[:, k], both.mesh[:, k])[0, 1] for k in moving]
    assert len(alike) > 10 and np.median(alike) > 0.98


def test_the_same_objects_are_in_the_picture(both: Both) -> None:
    assert (((both.fused_px >= 12) != (both.mesh_px >= 12)).mean()) < 0.02
    seen = both.mesh_px >= 12
    assert np.median(np.abs(both.fused_px - both.mesh_px)[seen] / both.mesh_px[seen]) < 0.05


def test_without_masks_or_boxes_it_is_said_that_there_are_no_objects(tmp_path: Path) -> None:
    small = GeneratedConfig(
        frames_per_scan=6, color_width=96, color_height=72, depth_width=80, depth_height=60
    )
    scan = generate_scan("room0002_00", 0, small)
    capture = write_capture(scan, tmp_path / "captures" / scan.scan_id)
    heard = Heard()
    visibility, extracted = recovered(tmp_path, scan.scan_id, capture, heard)
    assert visibility.scores.shape == (len(visibility.frame_ids), 0)
    assert len(read_points(extracted).coord) > 1000
    assert any("no annotation, no masks and no objects.json" in line for line in heard.lines)
