"""Generated rooms as captures without a mesh: posed frames in a folder, exact masks or boxes beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import from_yaw
from vantage.scans.box_file import AnnotatedBox, write_boxes
from vantage.scans.generated.render import Scene
from vantage.scans.generated.scan import GeneratedScan, recording_of
from vantage.scans.layouts import extracted
from vantage.scans.scan_txt import write_scan_txt


def write_capture(scan: GeneratedScan, folder: Path) -> Path:
    """The frames and the alignment of a scan; no mesh, no annotation."""
    folder.mkdir(parents=True)
    extracted.write(recording_of(scan), folder)
    cameras = (scan.color_camera, scan.depth_camera)
    write_scan_txt(folder / f"{folder.name}.txt", *cameras, len(scan.color), T_aligned_raw=scan.T_aligned_raw)
    return folder


def mask_images(scan: GeneratedScan, seed: int = 0) -> dict[int, np.ndarray]:
    """The object id of every colour pixel of each frame with a pose; -1 for none."""
    good = np.flatnonzero(np.isfinite(scan.T_raw_cam).all(axis=(1, 2)))
    poses = scan.T_aligned_raw @ scan.T_raw_cam[good]
    ids = Scene(scan.room, seed).views(poses, scan.color_camera).ids
    return dict(zip(good.tolist(), ids, strict=True))


def write_masks(scan: GeneratedScan, folder: Path, kind: str = "instance-filt") -> None:
    """Masks as ScanNet has them (a byte, object id and 1), or as Replica's renderings do; and the labels."""
    replica = kind == "semantic_instance"
    (folder / kind).mkdir()
    for k, ids in mask_images(scan).items():
        name = f"semantic_instance_{k}.png" if replica else f"{k}.png"
        values = (ids + 1).astype(np.uint16 if replica else np.uint8)
        Image.fromarray(values).save(folder / kind / name)
    labels = {str(item.object_id + 1): item.label for item in scan.room.objects}
    if replica:
        rows = [{"id": int(value), "class_name": label} for value, label in labels.items()]
        (folder / "info_semantic.json").write_text(json.dumps({"objects": rows}))
    else:
        (folder / "instance_labels.json").write_text(json.dumps({"version": 1, "labels": labels}))


def true_boxes(scan: GeneratedScan) -> list[AnnotatedBox]:
    """The furniture's boxes."""
    return [
        AnnotatedBox(
            item.object_id,
            item.label,
            item.color,
            OrientedBox(np.array(item.center), np.array(item.size), from_yaw(item.yaw)[:3, :3]),
        )
        for item in scan.room.items
    ]


def write_true_boxes(scan: GeneratedScan, folder: Path) -> None:
    """The furniture's boxes in an `objects.json`."""
    write_boxes(folder / "objects.json", true_boxes(scan))


@dataclass(frozen=True)
class Truth:
    """The scan's own mesh, to measure against."""

    scan: GeneratedScan

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance (m) of points in the raw world to the mesh, and the object of the nearest triangle."""
        import open3d as o3d

        mesh = self.scan.mesh
        caster = o3d.t.geometry.RaycastingScene()
        caster.add_triangles(o3d.core.Tensor(mesh.vertices), o3d.core.Tensor(mesh.faces.astype(np.uint32)))
        tensor = o3d.core.Tensor(np.ascontiguousarray(points, dtype=np.float32))
        near = caster.compute_closest_points(tensor)
        distance = np.linalg.norm(near["points"].numpy() - points, axis=1)
        return distance, mesh.object_id[mesh.faces[near["primitive_ids"].numpy(), 0]]


def ids_of(rows: Iterable[object]) -> list[int]:
    """Object ids of records."""
    return [row.object_id for row in rows]  # type: ignore[attr-defined]
