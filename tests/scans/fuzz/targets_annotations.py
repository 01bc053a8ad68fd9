"""What fuzzers call for meshes, annotations and scan texts: bytes in, `ScanError` or nothing out.

`TARGETS` maps a name to a callable that raises on anything else, and to valid files to start from.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vantage.core.errors import ScanError
from vantage.scans.annotations import (
    Group,
    instances,
    read_aggregation,
    read_attributes,
    read_segments,
    superpoints,
    write_aggregation,
    write_attributes,
    write_segments,
)
from vantage.scans.ply import Mesh, read_ply, write_ply
from vantage.scans.scan_txt import axis_alignment, read_scan_txt

Target = Callable[[bytes], None]
VERTICES = 6
_FOLDER = tempfile.TemporaryDirectory(prefix="fuzz-")


def _file(data: bytes) -> Path:
    path = Path(_FOLDER.name) / "scene0000_00.file"
    path.write_bytes(data)
    return path


def mesh(data: bytes) -> None:
    """A mesh that is read holds finite vertices, and faces of those."""
    try:
        found = read_ply(_file(data))
    except ScanError:
        return
    assert len(found.vertices) and np.isfinite(found.vertices).all()
    assert found.faces.size == 0 or 0 <= found.faces.min() <= found.faces.max() < len(found.vertices)


def segments(data: bytes) -> None:
    """Segments that are read number every vertex."""
    try:
        found = read_segments(_file(data), VERTICES)
    except ScanError:
        return
    assert found.of_vertex.shape == (VERTICES,) and found.of_vertex.min() >= 0
    numbers = superpoints(found.of_vertex)
    assert sorted(set(numbers.tolist())) == list(range(numbers.max() + 1))


def aggregation(data: bytes) -> None:
    """An aggregation that is read can be applied, and its texts can be written."""
    try:
        found = read_aggregation(_file(data))
    except ScanError:
        return
    ids = {group.object_id for group in found.groups} | {-1}
    assert set(instances(np.arange(9, dtype=np.int32), found.groups).tolist()) <= ids
    for text in (found.scene, found.segments_file, found.app, *(group.label for group in found.groups)):
        text.encode()


def attributes(data: bytes) -> None:
    """Attributes that are read can be written."""
    try:
        found = read_attributes(_file(data))
    except ScanError:
        return
    json.dumps(found, ensure_ascii=False).encode()


def scan_txt(data: bytes) -> None:
    """An alignment that is read is finite."""
    try:
        found = axis_alignment(read_scan_txt(_file(data)), "x.txt")
    except ScanError:
        return
    assert found is None or np.isfinite(found).all()


def _written(write: Callable[[Path], None]) -> bytes:
    path = Path(_FOLDER.name) / "seed"
    write(path)
    return path.read_bytes()


_LABELLED = Mesh(
    np.arange(9, dtype=np.float32).reshape(3, 3),
    np.arange(9, dtype=np.uint8).reshape(3, 3),
    np.array([[0, 1, 2], [2, 1, 0]], dtype=np.int32),
    np.array([1, 5, 40], dtype=np.uint16),
)
_BINARY = _written(lambda path: write_ply(path, _LABELLED))
_HEAD = _BINARY[: _BINARY.index(b"end_header\n") + len(b"end_header\n")]
_ASCII = _HEAD.replace(b"binary_little_endian", b"ascii") + (
    b"0 1 2 3 4 5 255 1\n3 4 5 6 7 8 255 5\n6 7 8 9 10 11 255 40\n3 0 1 2\n3 2 1 0\n"
)
_GROUPS = [Group(0, "chair", (1, 2)), Group(7, "night stand", (5,))]
_SEGMENTS = np.array([5, 5, 2, 0, 1, 9], dtype=np.int32)
_TEXT = (
    "axisAlignment = 0 1 0 -5.38 -1 0 0 2.87 0 0 1 -0.06 0 0 0 1 \ncolorWidth = 1296\nsceneType = Misc. \n"
)

TARGETS: dict[str, tuple[Target, list[bytes]]] = {
    "ply": (
        mesh,
        [
            _BINARY,
            _ASCII,
            _HEAD.replace(b"\n", b"\r\n") + _BINARY[len(_HEAD) :],
            _BINARY.replace(b"little", b"big").replace(b"vertex 3", b"vertex 2"),
        ],
    ),
    "segments": (segments, [_written(lambda path: write_segments(path, "scene0000_00", _SEGMENTS))]),
    "aggregation": (aggregation, [_written(lambda path: write_aggregation(path, "scene0000_00", _GROUPS))]),
    "attributes": (attributes, [_written(lambda path: write_attributes(path, {0: "red", 3: "black"}))]),
    "scan_txt": (scan_txt, [_TEXT.encode()]),
}
