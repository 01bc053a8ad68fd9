"""Where a frame's depth comes from: the sensor's image, the scan's points, or its mesh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from vantage.core.errors import ScanError
from vantage.core.tasks import Task
from vantage.geometry.camera import Pinhole
from vantage.lift.cloud import CloudDepth
from vantage.lift.config import LiftConfig
from vantage.lift.mesh import MeshDepth
from vantage.records.frames import Frame
from vantage.records.objects import read_points
from vantage.records.scan import ScanMeta
from vantage.scans.capture_objects import SURFACE_FILE
from vantage.scans.pixels import read_depth
from vantage.scans.scannet import MESH, find, read_ply

DepthImage = tuple[Float32[np.ndarray, "h w"], Pinhole]
"""Depth along the optical axis (m, 0 for holes) and the camera of the image; a frame's centre and axes."""


DepthSource = Callable[[Frame], DepthImage]
"""Gives a frame its depth image; ScanError when it cannot be had."""


def depth_source(task: Task, meta: ScanMeta, config: LiftConfig) -> DepthSource:
    """What `lift.source` names; ScanError when the scan has no points or no mesh to take depth from."""
    raw_dir = task.inputs["download"]
    if config.source == "depth":
        return lambda frame: (read_depth(raw_dir, meta, frame), meta.depth_of(frame))
    extract_dir = task.inputs["extract"]
    views = _cloud(extract_dir, meta) if config.source == "cloud" else _mesh(raw_dir, extract_dir, meta)
    width = config.source_width or meta.depth.width

    def seen(frame: Frame) -> DepthImage:
        color = meta.color_of(frame)
        camera = color.resized(width, max(1, round(width * color.height / color.width)))
        return views.image(frame.T_raw_cam, camera), camera

    return seen


def _cloud(extract_dir: Path, meta: ScanMeta) -> CloudDepth:
    coord = read_points(extract_dir).coord
    if not len(coord) or not np.isfinite(coord).all():
        raise ScanError(
            "the scan has no points to lift from",
            where=f"{meta.scan_id}, points.npz",
            expected="finite points in metres",
            found=f"{len(coord)} points, {int(np.isfinite(coord).all(axis=1).sum())} of them finite",
            hint="lift.source: depth needs none",
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
            hint="extract.fusion.mesh: true writes one of a scan without; lift.source: cloud needs none",
        )
    return MeshDepth(mesh.vertices, mesh.faces)
