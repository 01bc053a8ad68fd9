"""Boxes of a view as JSON, for models that were taught no boxes of ours: how they are asked for, and read.

The format is near to what is documented of models that were trained on 3D grounding (`bbox_3d` of nine
numbers); whether a given model keeps these axes, units and turns is not known here, which is why the request
declares them. What is read is what was declared, and nothing is guessed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from vantage.geometry.boxes import OrientedBox
from vantage.geometry.camera import Pinhole
from vantage.records.box_text import BadLine, bad_line

FIELDS: Final = ("x", "y", "z", "size_x", "size_y", "size_z", "roll", "pitch", "yaw")
_KEY: Final = '"bbox_3d"'
MAX_M: Final = 100.0
"""Centres and sizes beyond this are no metres of a room."""

_DECLARED: Final = (
    'Answer with JSON only: [{"bbox_3d": [x, y, z, size_x, size_y, size_z, roll, pitch, yaw], '
    '"label": "name"}], one entry for each object, [] for none.\n'
    "x, y, z: centre in metres in the frame of the first image's camera, x right, y down, z forward. "
    "size_x, size_y, size_z: full edge lengths in metres along the box's own axes. "
    "roll, pitch, yaw: degrees by which the box is turned about the camera's x, y and z axis, in this order."
)


def box_request(description: str, several: bool) -> str:
    """What is asked; the camera is told before it, by `camera_line`.

    Args:
        description: of what is meant.
        several: whether none, one or several objects may be meant.
    """
    what = "every object, if there is any," if several else "the one object"
    return f"Locate in 3D {what} that this description means: {description}\n{_DECLARED}"


def camera_line(camera: Pinhole) -> str:
    """The camera of the first image in words."""
    fx, fy, cx, cy = (f"{value:.6g}" for value in camera.intrinsics)
    return (
        f"The first image has {camera.width} x {camera.height} pixels; its camera has fx = {fx}, fy = {fy}, "
        f"cx = {cx}, cy = {cy} pixels."
    )


@dataclass(frozen=True, eq=False)
class ReadJson:
    """Boxes of a reply in the camera's frame (metres), in its order.

    Attributes:
        boxes: those that can be read.
        bad: what cannot, and why.
        nothing: whether it says that there is none.
    """

    boxes: tuple[OrientedBox, ...]
    bad: tuple[BadLine, ...]
    nothing: bool = False


def read_json_boxes(text: str) -> ReadJson:
    """The boxes of a reply: the first JSON list of objects in it, or else single objects, in their order.

    Text around, code fences, and a list that breaks off do not matter; other keys are passed over. An entry
    whose numbers cannot be what was asked for is named in `bad`, as is a reply without any.
    """
    boxes: list[OrientedBox] = []
    bad: list[BadLine] = []
    entries, nothing = _entries(text)
    for line, entry in entries:
        found = _box(entry)
        if isinstance(found, str):
            bad.append(bad_line(line, json.dumps(entry, ensure_ascii=False), found))
        else:
            boxes.append(found)
    if not entries and not nothing and text.strip():
        bad.append(bad_line(1, text, "no JSON with bbox_3d"))
    elif text.count(_KEY) > sum("bbox_3d" in entry for _, entry in entries):
        end = text.rfind(_KEY)
        bad.append(bad_line(text.count("\n", 0, end) + 1, text[end:], "JSON that breaks off"))
    return ReadJson(tuple(boxes), tuple(bad), nothing)


def _entries(text: str) -> tuple[list[tuple[int, Any]], bool]:
    """What stands for boxes, with the line where it begins; and whether an empty list does."""
    found: list[tuple[int, Any]] = []
    empty = False
    for line, value in _values(text):
        if isinstance(value, dict):
            found.append((line, value))
        elif value and all(isinstance(one, dict) for one in value):
            found += [(line, one) for one in value]
            break
        else:
            empty = empty or not value
    return found, empty and not found


def _values(text: str) -> Iterator[tuple[int, Any]]:
    """JSON lists and objects of a text, those inside of one another not looked for."""
    decoder, at = json.JSONDecoder(parse_constant=_refused), 0
    while places := [p for p in (text.find(sign, at) for sign in "[{") if p >= 0]:
        start = min(places)
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            at = start + 1
            continue
        yield text.count("\n", 0, start) + 1, value


def _refused(name: str) -> Any:
    raise ValueError(name)


def _box(entry: Any) -> OrientedBox | str:
    """A box, or why an entry is none."""
    numbers = entry.get("bbox_3d")
    if not isinstance(numbers, list) or len(numbers) != len(FIELDS):
        count = len(numbers) if isinstance(numbers, list) else "no"
        return f"{count} numbers in bbox_3d, expected {len(FIELDS)}"
    for name, value in zip(FIELDS, numbers, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
            return f"{name} is not a number"
    values = np.array(numbers, dtype=np.float64)
    center, size, angles = values[:3], values[3:6], values[6:]
    if not (size > 0).all():
        return "a size that is not above 0"
    if np.abs(values[:6]).max() > MAX_M:
        return f"beyond {MAX_M:g} m"
    if not center[2] > 0:
        return f"z is {center[2]:g} m, not before the camera"
    return OrientedBox(center, size, turned(*np.radians(angles).tolist()))


def turned(roll: float, pitch: float, yaw: float) -> Float64[np.ndarray, "3 3"]:
    """The rotation about x by `roll`, then y by `pitch`, then z by `yaw`, all axes fixed; radians."""
    (a, b, c), (p, q, r) = map(math.cos, (roll, pitch, yaw)), map(math.sin, (roll, pitch, yaw))
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, a, -p], [0.0, p, a]])
    about_y = np.array([[b, 0.0, q], [0.0, 1.0, 0.0], [-q, 0.0, b]])
    about_z = np.array([[c, -r, 0.0], [r, c, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_z @ about_y @ about_x)
