"""ScanNet's object annotations: over-segmentation, aggregation into objects, and our attributes beside them.

A vertex belongs to a segment (`*_vh_clean_2.0.010000.segs.json`), and a segment to at most one object
(`*.aggregation.json`). `*.attributes.json` is this project's own: a colour word for an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32

from vantage.scans.annotation_json import bad, field, integers, load, text

_SEGMENT_PARAMS = {
    "kThresh": "0.0001",
    "segMinVerts": "20",
    "minPoints": "750",
    "maxPoints": "30000",
    "thinThresh": "0.05",
    "flatThresh": "0.001",
    "minLength": "0.02",
    "maxLength": "1",
}


@dataclass(frozen=True)
class Group:
    """One annotated object: its id, raw label, and the segments it is made of."""

    object_id: int
    label: str
    segments: tuple[int, ...]


@dataclass(frozen=True)
class Aggregation:
    """Which segments make which object.

    Attributes:
        file: the file's name.
        scene, segments_file: the scan it was made for and the segments it refers to, as written in it.
        app: the annotation tool and its version; empty, as the others, where the file does not say.
        groups: the objects, in the file's order.
    """

    file: str
    scene: str
    segments_file: str
    app: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, eq=False)
class Segments:
    """The over-segmentation of a mesh: file name, scan as written in it, and the segment of every vertex."""

    file: str
    scene: str
    of_vertex: Int32[np.ndarray, "n"]


def write_segments(path: Path, scan_id: str, segments: Int32[np.ndarray, "n"]) -> None:
    """Write the segment of every mesh vertex, in vertex order."""
    _write(path, {"params": _SEGMENT_PARAMS, "sceneId": scan_id, "segIndices": segments.tolist()})


def write_aggregation(path: Path, scan_id: str, groups: Sequence[Group]) -> None:
    """Write which segments make which object."""
    rows = [
        {"id": k, "objectId": g.object_id, "segments": list(g.segments), "label": g.label}
        for k, g in enumerate(groups)
    ]
    value = {
        "sceneId": f"scannet.{scan_id}",
        "appId": "Aggregator.v2",
        "segGroups": rows,
        "segmentsFile": f"scannet.{scan_id}_vh_clean_2.0.010000.segs.json",
    }
    _write(path, value)


def write_attributes(path: Path, colors: Mapping[int, str]) -> None:
    """Write the colour word of each object that has one, by object id."""
    rows = [{"objectId": object_id, "color": color} for object_id, color in sorted(colors.items())]
    _write(path, {"version": 1, "objects": rows})


def read_segments(path: Path, vertices: int) -> Segments:
    """The segment of every vertex of a mesh of `vertices` vertices."""
    value = load(path)
    rows = field(value, "segIndices", list, path.name, "the file")
    if len(rows) != vertices:
        expected = f"one segment for each of {vertices} mesh vertices"
        found, hint = f"{len(rows)} numbers", "Mesh and segments of one scan, and of one resolution?"
        raise bad(path.name, "segIndices", expected, found, hint)
    of_vertex = integers(rows, path.name, "segIndices").astype(np.int32)
    return Segments(path.name, _name(value, "sceneId", path.name), of_vertex)


def read_aggregation(path: Path) -> Aggregation:
    """The annotated objects in the file's order; ids and segments are checked to be used once."""
    value = load(path)
    groups: list[Group] = []
    owner: dict[int, int] = {}
    ids: set[int] = set()
    for k, row in enumerate(field(value, "segGroups", list, path.name, "the file")):
        at = f"segGroups[{k}]"
        if not isinstance(row, dict):
            raise bad(path.name, at, "an object", type(row).__name__)
        object_id = int(
            integers([field(row, "objectId", int, path.name, at)], path.name, f"{at}.objectId")[0]
        )
        label = text(row, "label", path.name, at)
        rows = field(row, "segments", list, path.name, at)
        segments = integers(rows, path.name, f"{at}.segments").tolist()
        if object_id in ids:
            raise bad(path.name, at, "an objectId of its own", f"{object_id} twice")
        ids.add(object_id)
        for segment in segments:
            # ScanNet repeats a segment within a group now and then; two owners would be a contradiction.
            if owner.setdefault(segment, object_id) != object_id:
                found = f"objects {owner[segment]} and {object_id}"
                raise bad(path.name, at, f"one object for segment {segment}", found)
        groups.append(Group(object_id, label, tuple(dict.fromkeys(segments))))
    scene, segments_file, app = (_name(value, key, path.name) for key in ("sceneId", "segmentsFile", "appId"))
    return Aggregation(path.name, scene, segments_file, app, tuple(groups))


def read_attributes(path: Path) -> dict[int, str]:
    """Colour word by object id."""
    value = load(path)
    if value.get("version") != 1 or isinstance(value["version"], bool):
        raise bad(path.name, "version", "1", ascii(value.get("version"))[:40])
    colors: dict[int, str] = {}
    for k, row in enumerate(field(value, "objects", list, path.name, "the file")):
        at = f"objects[{k}]"
        if not isinstance(row, dict):
            raise bad(path.name, at, "an object", type(row).__name__)
        object_id = field(row, "objectId", int, path.name, at)
        if object_id in colors:
            raise bad(path.name, at, "an objectId of its own", "one that occurs twice")
        colors[object_id] = text(row, "color", path.name, at)
    return colors


def instances(segments: Int32[np.ndarray, "n"], groups: Iterable[Group]) -> Int32[np.ndarray, "n"]:
    """Object id of every vertex, -1 where no object claims its segment."""
    used, index = np.unique(segments, return_inverse=True)
    owner = {segment: g.object_id for g in groups for segment in g.segments}
    table = np.array([owner.get(segment, -1) for segment in used.tolist()], dtype=np.int32)
    return table[index] if len(table) else np.zeros(0, dtype=np.int32)


def superpoints(segments: Int32[np.ndarray, "n"]) -> Int32[np.ndarray, "n"]:
    """The over-segmentation numbered from 0 without gaps, in the order of the file's segment ids."""
    return np.unique(segments, return_inverse=True)[1].astype(np.int32).reshape(-1)


def _name(value: dict[str, Any], key: str, file: str) -> str:
    """An optional text, empty where the file has none."""
    return text(value, key, file, "the file") if key in value else ""


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
