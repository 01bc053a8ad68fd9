"""Triangle meshes as ScanNet stores them: binary little-endian PLY with coloured vertices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16

from vantage.core.errors import ScanError

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "<i2", "ushort": "<u2", "int": "<i4", "uint": "<u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "int32": "<i4", "uint32": "<u4"},
    **{"float": "<f4", "double": "<f8", "float32": "<f4", "float64": "<f8"},
}
_MAX_HEADER = 1 << 16
_END = b"end_header\n"


@dataclass(frozen=True, eq=False)
class Mesh:
    """Vertices in metres (world as scanned), RGB, triangles, and NYU40 labels where the file has them."""

    vertices: Float32[np.ndarray, "n 3"]
    colors: UInt8[np.ndarray, "n 3"]
    faces: Int32[np.ndarray, "f 3"]
    labels: UInt16[np.ndarray, "n"] | None = None


@dataclass
class _Element:
    name: str
    count: int
    fields: list[tuple[str, str]]
    list_types: tuple[str, str] | None = None


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
    header = "\n".join(lines).encode() + b"\n" + _END
    path.write_bytes(header + vertices.tobytes() + faces.tobytes())


def read_ply(path: Path) -> Mesh:
    """Read a binary little-endian PLY of triangles; vertex properties other than ours are skipped.

    Raises ScanError naming the file, the line or byte, what was expected and what was found.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScanError(f"cannot open the mesh: {error.strerror}", where=str(path)) from error
    elements, at = _parse_header(data, path.name)
    found: dict[str, np.ndarray] = {}
    for element in elements:
        face = element.name == "face"
        dtype = _face_dtype(element, path.name) if face else np.dtype(element.fields)
        size = element.count * dtype.itemsize
        if at + size > len(data):
            expected = f"{element.count} {element.name} records, {size} bytes"
            raise _bad(path.name, f"byte {at}", expected, f"{len(data) - at} bytes before the end")
        found[element.name] = np.frombuffer(data, dtype=dtype, count=element.count, offset=at)
        at += size
    return _mesh(found, path.name)


def _mesh(found: dict[str, np.ndarray], file: str) -> Mesh:
    if "vertex" not in found:
        raise _bad(file, "the header", "an element named vertex", ", ".join(found) or "no element")
    vertex = found["vertex"]
    names = vertex.dtype.names or ()
    if lacking := [name for name in ("x", "y", "z") if name not in names]:
        raise _bad(file, "element vertex", f"properties {', '.join(lacking)}", ", ".join(names))
    vertices = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float32)
    if not np.isfinite(vertices).all():
        row = int(np.flatnonzero(~np.isfinite(vertices).all(axis=1))[0])
        raise _bad(file, f"vertex {row}", "finite coordinates", str(vertices[row]))
    colors = np.full((len(vertex), 3), 128, dtype=np.uint8)
    if all(channel in names for channel in ("red", "green", "blue")):
        colors = np.stack([vertex[c] for c in ("red", "green", "blue")], axis=1).astype(np.uint8)
    labels = vertex["label"].astype(np.uint16) if "label" in names else None
    return Mesh(vertices, colors, _faces(found.get("face"), len(vertex), file), labels)


def _faces(face: np.ndarray | None, vertices: int, file: str) -> Int32[np.ndarray, "f 3"]:
    if face is None:
        return np.zeros((0, 3), dtype=np.int32)
    if len(wrong := np.flatnonzero(face["n"] != 3)):
        row = int(wrong[0])
        raise _bad(file, f"face {row}", "a triangle", f"{face['n'][row]} corners", "Triangulate the mesh.")
    faces = np.asarray(face["v"], dtype=np.int64)
    outside = np.flatnonzero(((faces < 0) | (faces >= vertices)).any(axis=1))
    if len(outside):
        row = int(outside[0])
        raise _bad(file, f"face {row}", f"vertex numbers 0 to {vertices - 1}", str(faces[row]))
    return faces.astype(np.int32)


def _parse_header(data: bytes, file: str) -> tuple[list[_Element], int]:
    end = data.find(_END, 0, _MAX_HEADER)
    if not data.startswith(b"ply") or end < 0:
        raise _bad(file, "byte 0", "a PLY header closed by end_header", repr(data[:24]))
    lines = data[:end].decode("ascii", errors="replace").splitlines()
    elements: list[_Element] = []
    for number, line in enumerate(lines[1:], start=2):
        words = line.split()
        if not words or words[0] in ("comment", "obj_info"):
            continue
        if words[0] == "format" and words[1:] == ["binary_little_endian", "1.0"]:
            continue
        if not _take(words, elements):
            expected = "format binary_little_endian 1.0, element NAME COUNT, or property TYPE NAME"
            raise _bad(file, f"line {number}", expected, repr(line))
    if not any(line.startswith("format binary_little_endian") for line in lines):
        raise _bad(file, "the header", "format binary_little_endian 1.0", "no format line")
    return elements, end + len(_END)


def _take(words: list[str], elements: list[_Element]) -> bool:
    """Add one header line to `elements`; False when it makes no sense."""
    match words:
        case ["element", name, count] if count.isdigit():
            elements.append(_Element(name, int(count), []))
            return True
        case ["property", "list", count, item, _] if elements and count in _TYPES and item in _TYPES:
            elements[-1].list_types = (_TYPES[count], _TYPES[item])
            return elements[-1].name == "face" and not elements[-1].fields
        case ["property", kind, name] if elements and kind in _TYPES and elements[-1].list_types is None:
            elements[-1].fields.append((name, _TYPES[kind]))
            return name not in [known for known, _ in elements[-1].fields[:-1]]
    return False


def _face_dtype(element: _Element, file: str) -> np.dtype[np.void]:
    if element.list_types is None:
        raise _bad(file, "element face", "a list of vertex numbers", "no list property")
    count, item = element.list_types
    return np.dtype([("n", count), ("v", item, (3,))])


def _bad(file: str, at: str, expected: str, found: str, hint: str | None = None) -> ScanError:
    return ScanError("bad mesh file", where=f"{file}, {at}", expected=expected, found=found, hint=hint)
