"""Objects of an annotated scan: mesh, segments and aggregation to boxes in the aligned world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from vantage.core.errors import ScanError
from vantage.geometry.boxes import fit_upright_box
from vantage.geometry.transforms import apply
from vantage.records.objects import ScanPoints, SceneObject
from vantage.scans.annotations import instances, read_aggregation, read_attributes, read_segments
from vantage.scans.labels import nyu_class, read_label_table
from vantage.scans.ply import read_ply
from vantage.scans.scannet import AGGREGATION, ATTRIBUTES, MESH, SEGMENTS, find

#: The rows of the user's label table that a scan needs, put beside it by `download`.
LABEL_TABLE = "labels.tsv"


@dataclass(frozen=True, eq=False)
class Annotations:
    """A scan's objects and points; `unknown`: labels of no NYU40 class, `empty`: objects without points."""

    objects: list[SceneObject]
    points: ScanPoints
    labelled: bool
    unknown: list[str]
    empty: list[int]


def read_annotations(folder: Path, scan_id: str, T_aligned_raw: Float64[np.ndarray, "4 4"]) -> Annotations:
    """Objects with oriented, gravity-aligned boxes, and every mesh vertex with its object.

    A scan without annotation gives none, with `labelled` false. One with only some of the three files raises
    ScanError: half an annotation is a copying accident.
    """
    mesh, segs, groups = (find(folder, scan_id, ending) for ending in (MESH, SEGMENTS, AGGREGATION))
    if segs is None and groups is None:
        return Annotations([], _unlabelled(mesh), False, [], [])
    if mesh is None or segs is None or groups is None:
        files = {MESH: mesh, SEGMENTS: segs, AGGREGATION: groups}
        expected = f"all or none of *{', *'.join((SEGMENTS, AGGREGATION))}, and *{MESH} with them"
        found = f"no *{', no *'.join(ending for ending, path in files.items() if path is None)}"
        raise ScanError("half an annotation", where=scan_id, expected=expected, found=found)

    vertices = read_ply(mesh).vertices
    annotated = read_aggregation(groups)
    instance = instances(read_segments(segs, len(vertices)), annotated)
    colors_file = find(folder, scan_id, ATTRIBUTES)
    colors = read_attributes(colors_file) if colors_file is not None else {}
    table = read_label_table(folder / LABEL_TABLE) if (folder / LABEL_TABLE).is_file() else None

    aligned = apply(T_aligned_raw, vertices)
    objects, unknown, empty = [], set(), []
    for group in annotated:
        own = aligned[instance == group.object_id]
        if len(own) == 0:
            empty.append(group.object_id)
            continue
        box, nyu = fit_upright_box(own), nyu_class(group.label, table)
        if nyu.nyu40_id == 0:
            unknown.add(group.label)
        objects.append(
            SceneObject(
                object_id=group.object_id,
                label=group.label,
                nyu40_id=nyu.nyu40_id,
                nyu40=nyu.nyu40,
                color=colors.get(group.object_id),
                center=box.center,
                size=box.size,
                rotation=box.rotation,
                points=len(own),
            )
        )
    return Annotations(objects, ScanPoints(vertices, instance), True, sorted(unknown), empty)


def _unlabelled(mesh: Path | None) -> ScanPoints:
    vertices = read_ply(mesh).vertices if mesh is not None else np.zeros((0, 3), dtype=np.float32)
    return ScanPoints(vertices, np.full(len(vertices), -1, dtype=np.int32))
