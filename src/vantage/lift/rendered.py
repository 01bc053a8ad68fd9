"""Depth images made of a scan's points or of its mesh."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from vantage.core.errors import ScanError
from vantage.core.tasks import Facts, Task
from vantage.geometry.camera import Pinhole
from vantage.lift.cloud import CloudDepth
from vantage.lift.depth_config import DepthConfig
from vantage.lift.mesh import MeshDepth
from vantage.records.frames import Frame
from vantage.records.objects import read_points
from vantage.records.scan import ScanMeta
from vantage.scans.capture_objects import SURFACE_FILE
from vantage.scans.scannet import MESH, find, read_ply


@dataclass(frozen=True)
class RenderedDepth:
    """Depth as a scan's points or its mesh would have it, from where the colour camera is."""

    views: CloudDepth | MeshDepth
    meta: ScanMeta
    width: int

    def depth_of(self, frame: Frame) -> tuple[Float32[np.ndarray, "h w"], Pinhole]:
        """The image, `width` pixels wide, and its camera: the colour camera resized."""
        color = self.meta.color_of(frame)
        camera = color.resized(self.width, max(1, round(self.width * color.height / color.width)))
        return self.views.image(frame.T_raw_cam, camera), camera

    def write(self, out: Path) -> None:
        """Nothing: the points and the mesh are `extract`'s."""

    def facts(self) -> Facts:
        """None."""
        return {}


def rendered_depth(task: Task, meta: ScanMeta, config: DepthConfig) -> RenderedDepth:
    """What `cloud` or `mesh` names; ScanError when the scan has no points or no mesh to take depth from."""
    raw_dir, extract_dir = task.inputs["download"], task.inputs["extract"]
    views = _cloud(extract_dir, meta) if config.source == "cloud" else _mesh(raw_dir, extract_dir, meta)
    return RenderedDepth(views, meta, config.width or meta.depth.width)


def _cloud(extract_dir: Path, meta: ScanMeta) -> CloudDepth:
    coord = read_points(extract_dir).coord
    if not len(coord) or not np.isfinite(coord).all():
        raise ScanError(
            "the scan has no points to lift from",
            where=f"{meta.scan_id}, points.npz",
            expected="finite points in metres",
            found=f"{len(coord)} points, {int(np.isfinite(coord).all(axis=1).sum())} of them finite",
            hint="lift.depth.source: sensor needs none",
        )
    return CloudDepth(coord)


def _mesh(raw_dir: Path, extract_dir: Path, meta: ScanMeta) -> MeshDepth:
    """The scan's own mesh, else the surface fused from its depth."""
    path = find(raw_dir, meta.scan_id, MESH) or extract_dir / SURFACE_FILE
    mesh = read_ply(path) if path.is_file() else None
    if mesh is None or not len(mesh.faces):
        raise ScanError(
            "the scan has no mesh to lift from",
            where=meta.scan_id,
            expected=f"*{MESH} with triangles, or {SURFACE_FILE} of extract",
            found="no such file" if mesh is None else f"{len(mesh.vertices)} vertices without a triangle",
            hint="extract.fusion.mesh: true writes one where none is; lift.depth.source: cloud needs none",
        )
    return MeshDepth(mesh.vertices, mesh.faces)
