"""Objects of a capture as 3D boxes in a small file beside it, `objects.json`.

    {"version": 1, "objects": [
        {"id": 0, "label": "chair", "center": [1.2, 0.4, 0.45], "size": [0.5, 0.5, 0.9],
         "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "frame": "aligned", "color": "red"}]}

Metres; `size` is along the box's own axes, the columns of `rotation` (without one: the frame's own axes).
`frame` is `raw`, the world of the poses as they are read, or `aligned`, z up. `color` is optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int32

from vantage.core import atomic
from vantage.geometry.boxes import OrientedBox
from vantage.geometry.transforms import compose, is_rigid, nearest_rotation
from vantage.scans.annotation_json import bad, field, integers, load, text

BOXES_FILE = "objects.json"
#: A point this far (m) outside a box still belongs to it: surfaces lie on the faces, measured with noise.
MARGIN_M = 0.02


@dataclass(frozen=True)
class AnnotatedBox:
    """A box that somebody drew: id, label, colour word if any, and the box in the aligned world."""

    object_id: int
    label: str
    color: str | None
    box: OrientedBox


def read_boxes(path: Path, T_aligned_raw: Float64[np.ndarray, "4 4"]) -> list[AnnotatedBox]:
    """The boxes of an `objects.json`, in the aligned world; ScanError naming the entry that is wrong."""
    value = load(path)
    if value.get("version") != 1 or isinstance(value["version"], bool):
        raise bad(path.name, "version", "1", ascii(value.get("version"))[:40])
    boxes: dict[int, AnnotatedBox] = {}
    for k, row in enumerate(field(value, "objects", list, path.name, "the file")):
        at = f"objects[{k}]"
        if not isinstance(row, dict):
            raise bad(path.name, at, "an object", type(row).__name__)
        one = _box(row, path.name, at, T_aligned_raw)
        if boxes.setdefault(one.object_id, one) is not one:
            raise bad(path.name, at, "an id of its own", f"{one.object_id} twice")
    return list(boxes.values())


def write_boxes(path: Path, boxes: Sequence[AnnotatedBox]) -> None:
    """Write boxes of the aligned world as an `objects.json`."""
    rows = []
    for one in boxes:
        numbers = {name: getattr(one.box, name).tolist() for name in ("center", "size", "rotation")}
        row = {"id": one.object_id, "label": one.label, **numbers, "frame": "aligned"}
        rows.append(row | ({"color": one.color} if one.color else {}))
    atomic.write_json(path, {"version": 1, "objects": rows})


def members(aligned: Float64[np.ndarray, "n 3"], boxes: Sequence[AnnotatedBox]) -> Int32[np.ndarray, "n"]:
    """The box each point lies in, -1 for none; in several, that of the smallest volume, then id."""
    instance = np.full(len(aligned), -1, dtype=np.int32)
    for one in sorted(boxes, key=lambda one: (-one.box.volume, -one.object_id)):
        instance[one.box.contains(aligned, MARGIN_M)] = one.object_id
    return instance


def _box(row: dict[str, Any], file: str, at: str, T_aligned_raw: Float64[np.ndarray, "4 4"]) -> AnnotatedBox:
    object_id = int(integers([field(row, "id", int, file, at)], file, f"{at}.id")[0])
    frame = text(row, "frame", file, at)
    if frame not in ("raw", "aligned"):
        raise bad(file, f"{at}.frame", "raw or aligned", ascii(frame)[:40])
    size = _numbers(field(row, "size", list, file, at), (3,), file, f"{at}.size")
    if not (size > 0).all():
        raise bad(file, f"{at}.size", "three lengths above 0", str(size.tolist()))
    rotation = np.eye(3)
    if "rotation" in row:
        rotation = _numbers(field(row, "rotation", list, file, at), (3, 3), file, f"{at}.rotation")
        if not is_rigid(compose(rotation, np.zeros(3))):
            raise bad(file, f"{at}.rotation", "a rotation: three unit axes at right angles", "another matrix")
    center = _numbers(field(row, "center", list, file, at), (3,), file, f"{at}.center")
    box = OrientedBox(center, size, nearest_rotation(rotation))
    color = text(row, "color", file, at) if "color" in row else None
    label = text(row, "label", file, at)
    return AnnotatedBox(object_id, label, color, box.transformed(T_aligned_raw) if frame == "raw" else box)


def _numbers(rows: list[Any], shape: tuple[int, ...], file: str, at: str) -> Float[np.ndarray, "..."]:
    try:
        values = np.array(rows, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.zeros(0)
    if values.shape != shape or not np.isfinite(values).all():
        raise bad(file, at, f"{' x '.join(map(str, shape))} finite numbers", f"{ascii(rows)[:60]}")
    return values
