"""The PLY container: its header, and its elements as columns, from ASCII and from binary of either order.

Counts come from the file and may lie: nothing is allocated before they are compared with the file's size.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import numpy as np

from vantage.core.errors import ScanError

_KINDS: Final = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
_ORDERS: Final = {"binary_little_endian": "<", "binary_big_endian": ">", "ascii": ""}
_LINES: Final = f"format {'|'.join(_ORDERS)} 1.0, element NAME COUNT, or property [list COUNT] TYPE NAME"
_MAX_HEADER = 1 << 16
_MAX_DIGITS = 15
_WANTED: Final = {"vertex", "face"}

#: The values of an element's properties by name; of a list of three, the lengths and the items.
Columns = dict[str, np.ndarray]
LENGTH, ITEMS = "list length", "list items"


@dataclass
class Element:
    """One element of a header: `fields` are (name, NumPy kind, kind of a list's length or None)."""

    name: str
    count: int
    fields: list[tuple[str, str, str | None]] = field(default_factory=list)

    @property
    def lists(self) -> int:
        """How many of the properties are lists."""
        return sum(length is not None for _, _, length in self.fields)


@dataclass(frozen=True)
class Header:
    """`order` is "<", ">" or, for ASCII, empty; `size` is where the values begin."""

    order: str
    elements: list[Element]
    size: int


def bad(file: str, at: str, expected: str, found: str, hint: str | None = None) -> ScanError:
    """The error for a mesh file: where in it, what should be there, what is."""
    return ScanError("bad mesh file", where=f"{file}, {at}", expected=expected, found=found, hint=hint)


def read_header(stream: BinaryIO, file: str) -> Header:
    """Read the header from the start of `stream`; line ends may be LF or CR LF."""
    head = stream.read(_MAX_HEADER)
    lines, size = _header_lines(head, file)
    order: str | None = None
    elements: list[Element] = []
    for number, line in enumerate(lines[1:], start=2):
        words = line.split()
        if not words or words[0] in ("comment", "obj_info"):
            continue
        match words:
            case ["format", name, "1.0"] if name in _ORDERS and order is None:
                order = _ORDERS[name]
            case _ if not _take(words, elements):
                raise bad(file, f"line {number}", _LINES, repr(line[:80]))
    if order is None:
        raise bad(file, "the header", f"format {'|'.join(_ORDERS)} 1.0", "no format line")
    return Header(order, elements, size)


def _header_lines(head: bytes, file: str) -> tuple[list[str], int]:
    lines: list[str] = []
    size = 0
    for line in head.splitlines(keepends=True):
        lines.append(line.decode("ascii", errors="replace").rstrip())
        size += len(line)
        if lines[0] != "ply":
            break
        if lines[-1] == "end_header" and line.endswith(b"\n"):
            return lines[:-1], size
    raise bad(file, "byte 0", "a PLY header closed by end_header", repr(head[:24]))


def _take(words: list[str], elements: list[Element]) -> bool:
    """Add one header line to `elements`; False when it makes no sense."""
    match words:
        case ["element", name, count] if count.isdigit() and len(count) <= _MAX_DIGITS:
            elements.append(Element(name, int(count)))
            return name not in [element.name for element in elements[:-1]]
        case ["property", "list", length, kind, name] if elements and length in _KINDS and kind in _KINDS:
            elements[-1].fields.append((name, _KINDS[kind], _KINDS[length]))
            return _KINDS[length][0] in "iu"
        case ["property", kind, name] if elements and kind in _KINDS:
            elements[-1].fields.append((name, _KINDS[kind], None))
            return name not in [known for known, _, _ in elements[-1].fields[:-1]]
    return False


def read_columns(stream: BinaryIO, size: int, header: Header, file: str) -> dict[str, Columns]:
    """The values of the elements `vertex` and `face` of a file of `size` bytes, others passed over.

    Only the element `face` may have a list, and that of three items each: triangles.
    """
    stream.seek(header.size)
    found: dict[str, Columns] = {}
    for element in header.elements:
        if found.keys() >= _WANTED:
            break
        if element.lists > (element.name == "face"):
            expected = f"no list property in element {element.name}, or one in element face"
            raise bad(file, f"element {element.name}", expected, f"{element.lists} list properties")
        left = size - stream.tell()
        columns = _text(stream, left, element, file) if not header.order else None
        if columns is None:
            columns = _binary(stream, left, element, header.order, file, skip=element.name not in _WANTED)
        if element.name in _WANTED:
            found[element.name] = columns
    return found


def _dtype(element: Element, order: str) -> np.dtype[np.void]:
    parts: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = []
    for name, kind, length in element.fields:
        if length is None:
            parts.append((name, order + kind))
        else:
            parts += [(LENGTH, order + length), (ITEMS, order + kind, (3,))]
    return np.dtype(parts)


def _binary(stream: BinaryIO, left: int, element: Element, order: str, file: str, *, skip: bool) -> Columns:
    dtype = _dtype(element, order)
    whole = element.count if not element.fields else min(element.count, left // dtype.itemsize)
    if skip or not element.fields:
        stream.seek(whole * dtype.itemsize, 1)
        rows = np.zeros(0, dtype=dtype)
    else:
        rows = np.frombuffer(stream.read(whole * dtype.itemsize), dtype=dtype)
    _require_triangles(rows[LENGTH] if element.lists and not skip else None, element, file)
    if whole < element.count:
        expected = f"{element.count} {element.name} records, {element.count * dtype.itemsize} bytes"
        raise bad(file, f"element {element.name}", expected, f"{left} bytes before the end")
    return {name: rows[name] for name in rows.dtype.names or ()}


def _text(stream: BinaryIO, left: int, element: Element, file: str) -> Columns:
    where, width = f"element {element.name}", len(element.fields) + 3 * element.lists
    expected = f"{element.count} lines of {width} numbers"
    if element.count * 2 * width > left + 1:  # a digit and a space each, no line end after the last
        raise bad(file, where, expected, f"{left} bytes before the end")
    table = np.zeros((0, width))
    if element.count and width:
        lines = list(itertools.islice(stream, element.count)) or [b""]
        try:
            # A blank line would be passed over, and an empty text only warned of.
            texts = [line if line.strip() else b"-" for line in lines]
            table = np.loadtxt(texts, comments=None, encoding="latin1", ndmin=2)
        except ValueError as error:
            hint = "Triangulate the mesh." if element.lists else None
            raise bad(file, where, expected, str(error)[:120], hint) from error
        if element.lists and table.shape[1] > width - 3:
            _require_triangles(table[:, _list_at(element)], element, file)
        if table.shape != (element.count, width):
            found = f"{table.shape[0]} lines of {table.shape[1]} numbers"
            raise bad(file, where, expected, found)
    columns: Columns = {}
    at = 0
    for name, _, length in element.fields:
        if length is None:
            columns[name], at = table[:, at], at + 1
        else:
            columns[LENGTH], columns[ITEMS], at = table[:, at], table[:, at + 1 : at + 4], at + 4
    return columns


def _list_at(element: Element) -> int:
    return next(k for k, (_, _, length) in enumerate(element.fields) if length is not None)


def _require_triangles(lengths: np.ndarray | None, element: Element, file: str) -> None:
    if lengths is not None and len(wrong := np.flatnonzero(lengths != 3)):
        row = int(wrong[0])
        found = f"{lengths[row]:g} corners"
        raise bad(file, f"{element.name} {row}", "a triangle", found, "Triangulate the mesh.")
