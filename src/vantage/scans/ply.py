"""Triangle meshes as ScanNet stores them: PLY with coloured vertices, written binary and little-endian."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16

from vantage.core.errors import ScanError
from vantage.scans.ply_format import ITEMS, Columns, Header, bad, read_columns, read_header


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices in metres (world as scanned), RGB, triangles, and NYU40 labels where the file has them."""

    vertices: Float32[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    labels: UInt16[np.ndarray, "n"] | None = None


def write_ply(path: Path, mesh: Mesh) -> None:
    """Write `mesh` with ScanNet's properties: x y z red green blue alpha, label if any, vertex_indices."""
    kinds: list[tuple[str, str]] = [(axis, "<f4") for axis in "xyz"]
    kinds += [(channel, "u1") for channel in ("red", "green", "blue", "alpha")]
    if mesh.labels is not None:
        kinds.append(("label", "<u2"))
    vertices = np.empty(len(mesh.vertices), dtype=np.dtype(kinds))
    for k in range(3):
        vertices["xyz"[k]] = mesh.vertices[:, k]
        vertices[("red", "green", "blue")[k]] = mesh.colors[:, k]
    vertices["alpha"] = 255
    if mesh.labels is not None:
        vertices["label"] = mesh.labels
    faces = np.empty(len(mesh.faces), dtype=np.dtype([("n", "u1"), ("v", "<i4", (3,))]))
    faces["n"] = 3
    faces["v"] = mesh.faces
    words = {"<f4": "float", "u1": "uchar", "<u2": "ushort"}
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property {words[kind]} {name}" for name, kind in kinds]
    lines += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    header = "\n".join([*lines, "end_header\n"]).encode()
    path.write_bytes(header + vertices.tobytes() + faces.tobytes())


def read_ply(path: Path) -> Mesh:
    """Read a PLY of triangles or of points alone; properties and elements other than ours are skipped.

    Colours that are not `uchar` count as absent: grey. Raises ScanError naming the file, the line or element,
    what was expected and what was found.
    """
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            header = read_header(stream, path.name)
            _require_vertices(header, path.name)
            found = read_columns(stream, size, header, path.name)
    except OSError as error:
        raise ScanError(f"cannot open the mesh: {error.strerror}", where=str(path)) from error
    return _mesh(header, found, path.name)


def _require_vertices(header: Header, file: str) -> None:
    counts = {element.name: element.count for element in header.elements}
    if counts.get("vertex", 0) == 0:
        found = ", ".join(f"{count} {name}" for name, count in counts.items()) or "no element"
        hint = "Remove the file if the scan has no mesh."
        raise bad(file, "the header", "an element vertex, at least one vertex", found, hint)


def _mesh(header: Header, found: dict[str, Columns], file: str) -> Mesh:
    vertex = found["vertex"]
    if lacking := [name for name in ("x", "y", "z") if name not in vertex]:
        raise bad(file, "element vertex", f"properties {', '.join(lacking)}", ", ".join(vertex))
    count = len(vertex["x"])
    with np.errstate(over="ignore"):  # a double too large for a float becomes infinite, and is refused below
        vertices = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float32)
    if not np.isfinite(vertices).all():
        row = int(np.flatnonzero(~np.isfinite(vertices).all(axis=1))[0])
        raise bad(file, f"vertex {row}", "finite coordinates", str(vertices[row]))
    labels = None
    if "label" in vertex:
        labels = _whole(vertex["label"], 0xFFFF, file, "label of vertex").astype(np.uint16)
    return Mesh(vertices, _colors(header, vertex, file), _faces(found.get("face"), count, file), labels)


def _colors(header: Header, vertex: Columns, file: str) -> UInt8[np.ndarray, "n 3"]:
    element = next(one for one in header.elements if one.name == "vertex")
    kinds = {name: kind for name, kind, _ in element.fields}
    channels = ("red", "green", "blue")
    if any(kinds.get(channel) != "u1" for channel in channels):
        return np.full((len(vertex["x"]), 3), 128, dtype=np.uint8)
    return np.stack([_whole(vertex[c], 0xFF, file, f"{c} of vertex") for c in channels], 1).astype(np.uint8)


def _faces(face: Columns | None, vertices: int, file: str) -> Int32[np.ndarray, "f 3"]:
    if face is None:
        return np.zeros((0, 3), dtype=np.int32)
    if ITEMS not in face:
        raise bad(file, "element face", "a list of vertex numbers", "no list property")
    corners = face[ITEMS]
    outside = np.flatnonzero(~((corners >= 0) & (corners < vertices)).all(axis=1))
    if len(outside):
        row = int(outside[0])
        raise bad(file, f"face {row}", f"vertex numbers 0 to {vertices - 1}", str(corners[row]))
    return _whole(corners, vertices - 1, file, "corner of face").astype(np.int32)


def _whole(values: np.ndarray, most: int, file: str, what: str) -> np.ndarray:
    """`values` if they are whole numbers from 0 to `most`: ASCII and float properties need not be."""
    wrong = ~((values >= 0) & (values <= most) & (values == np.floor(values)))
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise bad(file, f"{what} {row}", f"a whole number of 0 to {most}", str(values[row]))
    return values
