"""Boxes of a view as text, one a line: `bbox_<id>=Bbox(<class>,u,v,z,angle,sx,sy,sz)`, and back.

What cannot be written is flagged, never clipped; a line that cannot be read is named and drops no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from vantage.core.errors import ContractError
from vantage.geometry.camera import Pinhole
from vantage.records.box_lattice import FIELDS, BoxLattice
from vantage.records.view_boxes import ViewBox

_BOX = re.compile(r"\bbbox\s*_\s*([0-9]{1,9})\s*=\s*Bbox\s*\(([^()]*)\)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9]{1,12}(?:\.0*)?")
_NUMERIC = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[-+]?[0-9]+)?|[-+]?(?:nan|inf|infinity)", re.I)
# What would end a name or a line, what special tokens are made of, and white space but single inner blanks.
_RESERVED = re.compile(r"[%,()=<>|\"\x00-\x1f\x7f-\x9f\u2028\u2029]|^\s|\s$|(?<=\s)\s|[^\S ]")
_BETWEEN = " \t\r,;"


@dataclass(frozen=True)
class Outside:
    """A box that a lattice cannot write: its number, class, the field, and why."""

    box_id: int
    label: str
    field: str
    reason: str


@dataclass(frozen=True)
class BadLine:
    """Text that is no box: its line, counted from 1, the text (shortened), and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class WrittenBoxes:
    """Boxes as text, and those that are not in it."""

    text: str
    outside: tuple[Outside, ...]


@dataclass(frozen=True)
class ReadBoxes:
    """Boxes of a text, in its order, and what in it is no box."""

    boxes: tuple[ViewBox, ...]
    bad: tuple[BadLine, ...]


def write_boxes(boxes: Iterable[ViewBox], lattice: BoxLattice, camera: Pinhole) -> WrittenBoxes:
    """The boxes that the lattice can write, and those it cannot. `camera` is the view's."""
    lines: list[str] = []
    outside: list[Outside] = []
    for box in boxes:
        numbers = numbers_of(box, lattice, camera)
        label = escaped(box.label) if lattice.escaped else _plain(box.label)
        if isinstance(numbers, Outside):
            outside.append(numbers)
        elif label is None:
            outside.append(Outside(box.box_id, box.label, "class", "a name that cannot be written"))
        else:
            lines.append(f"bbox_{box.box_id}=Bbox({label},{','.join(map(str, numbers))})")
    return WrittenBoxes("\n".join(lines), tuple(outside))


def numbers_of(box: ViewBox, lattice: BoxLattice, camera: Pinhole) -> tuple[int, ...] | Outside:
    """The seven numbers of a box in the order of `FIELDS`, or why there are none."""
    x, y, z = box.center
    if not z > 0:
        return Outside(box.box_id, box.label, "z", f"{z:.4g} m: not before the camera")
    u = (camera.fx * x / z + camera.cx + 0.5) / camera.width
    v = (camera.fy * y / z + camera.cy + 0.5) / camera.height
    numbers = []
    for name, axis, value in zip(FIELDS, lattice.axes, (u, v, z, box.angle, *box.size), strict=True):
        k = axis.encode(value)
        if k is None:
            low, high = axis.limits
            reason = f"{value:.4g} {axis.unit}: outside {low:.4g} to {high:.4g}"
            return Outside(box.box_id, box.label, name, reason)
        numbers.append(k)
    return tuple(numbers)


def box_of(
    box_id: int, label: str, numbers: tuple[int, ...], lattice: BoxLattice, camera: Pinhole
) -> ViewBox:
    """The box that seven numbers stand for.

    `ContractError` for a number that the lattice does not have, and for a z that is not before the camera.
    """
    for name, axis, k in zip(FIELDS, lattice.axes, numbers, strict=True):
        if not axis.first <= k <= axis.last:
            raise ContractError(f"{name} is {k}, outside {axis.first} to {axis.last}", where=f"box {box_id}")
    u, v, z, angle, *size = (axis.decode(k) for axis, k in zip(lattice.axes, numbers, strict=True))
    if not z > 0:
        raise ContractError(f"z is {z:.4g} m, not before the camera", where=f"box {box_id}")
    x = (u * camera.width - 0.5 - camera.cx) / camera.fx * z
    y = (v * camera.height - 0.5 - camera.cy) / camera.fy * z
    width, height, length = size
    return ViewBox(box_id, label, (x, y, z), (width, height, length), angle)


def read_boxes(text: str, lattice: BoxLattice, camera: Pinhole) -> ReadBoxes:
    """The boxes of a text. White space does not matter, several boxes may share a line, an angle that is not
    there is 0; everything else is named in `bad`. Of two boxes with one id the first counts.
    """
    boxes: dict[int, ViewBox] = {}
    bad: list[BadLine] = []
    for number, line in enumerate(text.splitlines(), start=1):
        rest = _BOX.sub(" ", line)
        if rest.strip(_BETWEEN):
            bad.append(bad_line(number, rest, "not a box"))
        for found in _BOX.finditer(line):
            try:
                box = _read(int(found[1]), found[2], lattice, camera)
            except ContractError as error:
                bad.append(bad_line(number, found[0], error.message))
                continue
            if box.box_id in boxes:
                bad.append(bad_line(number, found[0], f"a second box of id {box.box_id}"))
            boxes.setdefault(box.box_id, box)
    return ReadBoxes(tuple(boxes.values()), tuple(bad))


def _read(box_id: int, inside: str, lattice: BoxLattice, camera: Pinhole) -> ViewBox:
    fields = [" ".join(field.split()) for field in inside.split(",")]
    count = len(list(_numeric_tail(fields[1:])))
    if count not in (6, 7):
        raise ContractError(f"{count} numbers after the class, expected 7, or 6 without angle")
    # A comma in a name that was not escaped: the numbers are the last fields, the rest is the name.
    name = ", ".join(fields[:-count])
    name = unescaped(name) if lattice.escaped else name
    if not name:
        raise ContractError("no class")
    values = fields[-count:]
    if count == 6:
        values.insert(FIELDS.index("angle"), str(lattice.angle.encode(0.0)))
    if broken := [value for value in values if not _NUMBER.fullmatch(value)]:
        raise ContractError(f"{broken[0]} is not a whole number")
    return box_of(box_id, name, tuple(int(value.partition(".")[0]) for value in values), lattice, camera)


def _numeric_tail(fields: list[str]) -> Iterator[str]:
    for field in reversed(fields):
        if not _NUMERIC.fullmatch(field):
            return
        yield field


def escaped(label: str) -> str | None:
    """A class name that can stand in a box: reserved characters as `%XX` of their UTF-8 bytes.

    None for a name that is empty or has no UTF-8.
    """
    try:
        label.encode()
    except UnicodeEncodeError:
        return None
    return _RESERVED.sub(_percent, label) or None


def unescaped(text: str) -> str:
    """The name that `escaped` wrote; `ContractError` where the bytes are not UTF-8."""
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise ContractError("a class with an escape that is not UTF-8") from error


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode())


def _plain(label: str) -> str | None:
    """The name as it is, if it survives that."""
    return label if escaped(label) == label else None


def bad_line(number: int, text: str, reason: str) -> BadLine:
    """A line that cannot be read, its text on one line and shortened."""
    shown = " ".join(text.split())
    return BadLine(number, shown if len(shown) <= 120 else f"{shown[:117]}...", reason)
