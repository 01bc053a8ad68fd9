"""A tiny annotated scan in ScanNet's files: boxes of eight vertices each, turned by its axis alignment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vantage.geometry.transforms import apply, invert
from vantage.scans.annotations import Group, write_aggregation, write_segments
from vantage.scans.ply import Mesh, write_ply

T_ALIGNED_RAW = np.array([[0.0, -1.0, 0, 2], [1, 0, 0, -1], [0, 0, 1, 0], [0, 0, 0, 1]])


def write_scene(root: Path, scene: str, boxes: dict[int, tuple[str, np.ndarray]]) -> None:
    """Objects by id: label, and lowest and highest corner in the aligned world."""
    folder = root / scene
    folder.mkdir(parents=True)
    vertices, segments, groups = [], [], []
    for k, (object_id, (label, box)) in enumerate(boxes.items()):
        vertices += [[box[s[a], a] for a in range(3)] for s in np.ndindex(2, 2, 2)]
        segments += [k] * 8
        groups.append(Group(object_id, label, (k,)))
    raw = apply(invert(T_ALIGNED_RAW), np.array(vertices)).astype(np.float32)
    faces = np.array([[0, 1, 2]], dtype=np.int32)
    write_ply(folder / f"{scene}_vh_clean_2.ply", Mesh(raw, np.zeros((len(raw), 3), np.uint8), faces))
    write_segments(
        folder / f"{scene}_vh_clean_2.0.010000.segs.json", scene, np.array(segments, dtype=np.int32)
    )
    write_aggregation(folder / f"{scene}.aggregation.json", scene, groups)
    numbers = " ".join(str(x) for x in T_ALIGNED_RAW.ravel())
    (folder / f"{scene}.txt").write_text(f"axisAlignment = {numbers}\n")
