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

from vantage.core.errors import ScanError

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


def read_segments(path: Path, vertices: int) -> Int32[np.ndarray, "n"]:
    """The segment of every vertex of a mesh of `vertices` vertices."""
    rows = _field(_load(path), "segIndices", list, path.name, "the file")
    if len(rows) != vertices:
        expected = f"one segment for each of {vertices} mesh vertices"
        raise _bad(
            path.name, "segIndices", expected, f"{len(rows)} numbers", "Mesh and segments of one scan?"
        )
    return np.array(_integers(rows, path.name, "segIndices"), dtype=np.int32)


def read_aggregation(path: Path) -> list[Group]:
    """The annotated objects in the file's order; ids and segments are checked to be used once."""
    groups: list[Group] = []
    owner: dict[int, int] = {}
    for k, row in enumerate(_field(_load(path), "segGroups", list, path.name, "the file")):
        at = f"segGroups[{k}]"
        if not isinstance(row, dict):
            raise _bad(path.name, at, "an object", type(row).__name__)
        object_id = _field(row, "objectId", int, path.name, at)
        label = _field(row, "label", str, path.name, at)
        segments = _integers(_field(row, "segments", list, path.name, at), path.name, f"{at}.segments")
        if object_id < 0 or any(g.object_id == object_id for g in groups):
            raise _bad(path.name, at, "an objectId of its own, 0 or more", str(object_id))
        for segment in segments:
            # ScanNet repeats a segment within a group now and then; two owners would be a contradiction.
            if owner.setdefault(segment, object_id) != object_id:
                found = f"objects {owner[segment]} and {object_id}"
                raise _bad(path.name, at, f"one object for segment {segment}", found)
        groups.append(Group(object_id, label, tuple(dict.fromkeys(segments))))
    return groups


def read_attributes(path: Path) -> dict[int, str]:
    """Colour word by object id."""
    value = _load(path)
    if value.get("version") != 1:
        raise _bad(path.name, "version", "1", str(value.get("version")))
    colors: dict[int, str] = {}
    for k, row in enumerate(_field(value, "objects", list, path.name, "the file")):
        at = f"objects[{k}]"
        if not isinstance(row, dict):
            raise _bad(path.name, at, "an object", type(row).__name__)
        colors[_field(row, "objectId", int, path.name, at)] = _field(row, "color", str, path.name, at)
    return colors


def instances(segments: Int32[np.ndarray, "n"], groups: Iterable[Group]) -> Int32[np.ndarray, "n"]:
    """Object id of every vertex, -1 where no object claims its segment."""
    used, index = np.unique(segments, return_inverse=True)
    owner = {segment: g.object_id for g in groups for segment in g.segments}
    table = np.array([owner.get(int(segment), -1) for segment in used], dtype=np.int32)
    return table[index] if len(table) else np.zeros(0, dtype=np.int32)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")


def _load(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScanError(f"cannot open the annotation: {error.strerror}", where=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise _bad(path.name, "the file", "JSON", str(error)) from error
    if not isinstance(value, dict):
        raise _bad(path.name, "the file", "a JSON object", type(value).__name__)
    return value


def _field(row: dict[str, Any], key: str, kind: type, file: str, at: str) -> Any:
    value = row.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        found = "no such key" if key not in row else f"{type(value).__name__} {str(value)[:40]}"
        raise _bad(file, at, f"{key} of type {kind.__name__}", found)
    return value


def _integers(rows: list[Any], file: str, at: str) -> list[int]:
    for k, value in enumerate(rows):
        if type(value) is not int or not -(1 << 31) <= value < 1 << 31:
            raise _bad(file, f"{at}[{k}]", "a 32 bit whole number", repr(value)[:40])
    return rows


def _bad(file: str, at: str, expected: str, found: str, hint: str | None = None) -> ScanError:
    return ScanError("bad annotation file", where=f"{file}, {at}", expected=expected, found=found, hint=hint)
