"""Objects of an annotated scan: mesh, segments and aggregation to boxes in the aligned world."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int32

from vantage.core.errors import ScanError
from vantage.core.tasks import Facts
from vantage.geometry.boxes import fit_upright_box
from vantage.geometry.transforms import apply
from vantage.records.objects import ScanPoints, SceneObject
from vantage.scans.annotation_release import release_of, require_known_labels, require_one_scan
from vantage.scans.annotations import Group, instances, read_aggregation, read_attributes, read_segments
from vantage.scans.annotations import superpoints as superpoints_of
from vantage.scans.frame_masks import find_masks
from vantage.scans.labels import LabelTable, nyu_class, read_label_table
from vantage.scans.labels_mesh import agreement, read_labels
from vantage.scans.ply import Mesh, read_ply
from vantage.scans.scannet import AGGREGATION, ATTRIBUTES, LABELS, MESH, SEGMENTS, find, stem

#: The rows of the user's label table that a scan needs, put beside it by `download`.
LABEL_TABLE = "labels.tsv"


@dataclass(frozen=True, eq=False)
class Annotations:
    """A scan's objects and points.

    Attributes:
        objects, points: what later stages read.
        labelled: whether the scan is annotated at all.
        unknown: objects by raw label, of labels without an NYU40 class.
        empty: ids of objects without points.
        facts: the release with its evidence, and how far the labels mesh agrees where there is one.
    """

    objects: list[SceneObject]
    points: ScanPoints
    labelled: bool
    unknown: Mapping[str, int] = field(default_factory=dict)
    empty: Sequence[int] = ()
    facts: Facts = field(default_factory=dict)


def read_annotations(folder: Path, scan_id: str, T_aligned_raw: Float64[np.ndarray, "4 4"]) -> Annotations:
    """Objects with oriented, gravity-aligned boxes, and every mesh vertex with its object.

    A scan without annotation gives none, with `labelled` false; so does one whose frames have masks instead,
    to which an aggregation gives the labels. ScanError when files are damaged, are some of the three only, or
    are not of one scan, one mesh and one release.
    """
    mesh_file, segs, groups = (find(folder, scan_id, ending) for ending in (MESH, SEGMENTS, AGGREGATION))
    if segs is None and (groups is None or find_masks(folder) is not None):
        return Annotations([], _unlabelled(mesh_file), False)
    if mesh_file is None or segs is None or groups is None:
        files = {MESH: mesh_file, SEGMENTS: segs, AGGREGATION: groups}
        expected = f"all or none of *{', *'.join((SEGMENTS, AGGREGATION))}, and *{MESH} with them"
        found = f"no *{', no *'.join(ending for ending, path in files.items() if path is None)}"
        raise ScanError("half an annotation", where=scan_id, expected=expected, found=found)

    mesh, aggregation = read_ply(mesh_file), read_aggregation(groups)
    segments = read_segments(segs, len(mesh.vertices))
    require_one_scan(stem(folder, scan_id), aggregation, segments)
    table = read_label_table(folder / LABEL_TABLE) if (folder / LABEL_TABLE).is_file() else None
    if table is not None:
        labels = [group.label for group in aggregation.groups]
        require_known_labels(aggregation.file, labels, table, "the label table")
    instance = instances(segments.of_vertex, aggregation.groups)
    release, evidence = release_of(aggregation, table)
    facts: dict[str, int | float | str] = {"annotation_release": release, "release_evidence": evidence}
    facts |= _labels_mesh_facts(folder, scan_id, mesh, mesh_file.name, (aggregation.groups, instance, table))

    objects, empty = _objects(
        folder, scan_id, aggregation.groups, instance, apply(T_aligned_raw, mesh.vertices), table
    )
    points = ScanPoints(mesh.vertices, instance, superpoints_of(segments.of_vertex))
    return Annotations(objects, points, True, unknown_labels(objects), empty, facts)


def unknown_labels(objects: Sequence[SceneObject]) -> dict[str, int]:
    """How many objects have each raw label without an NYU40 class."""
    return dict(sorted(Counter(item.label for item in objects if item.nyu40_id == 0).items()))


def _objects(
    folder: Path,
    scan_id: str,
    groups: Sequence[Group],
    instance: Int32[np.ndarray, "n"],
    aligned: Float64[np.ndarray, "n 3"],
    table: LabelTable | None,
) -> tuple[list[SceneObject], list[int]]:
    """The objects, and the ids of those without points."""
    colors_file = find(folder, scan_id, ATTRIBUTES)
    colors = read_attributes(colors_file) if colors_file is not None else {}
    objects, empty = [], []
    for group in groups:
        own = aligned[instance == group.object_id]
        if len(own) == 0:
            empty.append(group.object_id)
            continue
        box, nyu = fit_upright_box(own), nyu_class(group.label, table)
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
    return objects, empty


def _labels_mesh_facts(
    folder: Path,
    scan_id: str,
    mesh: Mesh,
    mesh_file: str,
    annotated: tuple[Sequence[Group], Int32[np.ndarray, "n"], LabelTable | None],
) -> dict[str, int | float | str]:
    """How far `*.labels.ply`, where there is one, agrees with the objects' classes."""
    path = find(folder, scan_id, LABELS)
    if path is None:
        return {}
    groups, instance, table = annotated
    labels = read_labels(path, mesh, mesh_file)
    expected = np.zeros(len(instance), dtype=np.int64)
    for group in groups:
        expected[instance == group.object_id] = nyu_class(group.label, table).nyu40_id
    share = agreement(labels, expected, f"{path.name} and *{AGGREGATION}")
    return {"labels_mesh_agreement": round(share, 4), "labels_mesh_outside_nyu40": labels.outside}


def _unlabelled(mesh: Path | None) -> ScanPoints:
    vertices = read_ply(mesh).vertices if mesh is not None else np.zeros((0, 3), dtype=np.float32)
    return ScanPoints.plain(vertices, np.full(len(vertices), -1, dtype=np.int32))
